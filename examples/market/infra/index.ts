import * as awsx from "@pulumi/awsx";

// The references come from the environment, one for each image: a digest, never a tag.
const service = (name: string, variable: string) =>
  new awsx.ecs.FargateService(name, {
    taskDefinitionArgs: {
      container: { name, image: process.env[variable]!, cpu: 256, memory: 512, essential: true },
    },
  });

service("slasher", "SLASHER_IMAGE"); // ghcr.io/acme/market/slasher
service("distributor", "DISTRIBUTOR_IMAGE"); // ghcr.io/acme/market/distributor
service("order-stream", "ORDER_STREAM_IMAGE"); // ghcr.io/acme/market/order-stream
service("order-generator", "ORDER_GENERATOR_IMAGE"); // ghcr.io/acme/market/order-generator
service("indexer-market", "INDEXER_MARKET_IMAGE"); // ghcr.io/acme/market/indexer-market
service("indexer-rewards", "INDEXER_REWARDS_IMAGE"); // ghcr.io/acme/market/indexer-rewards
service("indexer-backfill", "INDEXER_BACKFILL_IMAGE"); // ghcr.io/acme/market/indexer-backfill
