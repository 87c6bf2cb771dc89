# The same graph for `docker buildx bake`, to compare with.

variable "REPO" { default = "ghcr.io/acme/market" }
variable "REVISION" { default = "unknown" }

group "default" {
  targets = ["slasher", "distributor", "order-stream", "order-generator",
             "indexer-market", "indexer-rewards", "indexer-backfill"]
}

target "_common" {
  context = "."
  network = "none"
}

target "_image" {
  inherits = ["_common"]
  args     = { REVISION = REVISION }
  labels   = { "org.opencontainers.image.source" = "https://example.com/acme/market" }
}

target "builder-base" {
  context    = "docker"
  dockerfile = "builder-base.dockerfile"
  network    = "none"
  tags       = ["ghcr.io/acme/builder-base:1"]
}

target "library" {
  inherits   = ["_common"]
  dockerfile = "docker/builders.dockerfile"
  target     = "library"
  contexts   = { "ghcr.io/acme/builder-base:1" = "target:builder-base" }
  output     = ["type=cacheonly"]
}

target "networks" {
  inherits   = ["_common"]
  dockerfile = "docker/builders.dockerfile"
  target     = "networks"
  contexts   = { "ghcr.io/acme/builder-base:1" = "target:builder-base" }
  output     = ["type=cacheonly"]
}

target "slasher" {
  inherits   = ["_image"]
  dockerfile = "slasher/Dockerfile"
  contexts   = {
    "ghcr.io/acme/builder-base:1" = "target:builder-base"
    market-library                = "target:library"
  }
  tags = ["${REPO}/slasher:dev"]
}

target "distributor" {
  inherits   = ["_image"]
  dockerfile = "distributor/Dockerfile"
  contexts   = {
    "ghcr.io/acme/builder-base:1" = "target:builder-base"
    market-library                = "target:library"
    market-networks               = "target:networks"
  }
  tags = ["${REPO}/distributor:dev"]
}

target "order-stream" {
  inherits   = ["_image"]
  dockerfile = "order-stream/stream.dockerfile"
  contexts   = {
    "ghcr.io/acme/builder-base:1" = "target:builder-base"
    market-library                = "target:library"
    market-networks               = "target:networks"
  }
  tags = ["${REPO}/order-stream:dev"]
}

target "order-generator" {
  inherits   = ["_image"]
  dockerfile = "order-generator/Dockerfile"
  args       = { SEED = "7" }
  contexts   = { "ghcr.io/acme/builder-base:1" = "target:builder-base" }
  tags       = ["${REPO}/order-generator:dev"]
}

target "_indexer" {
  inherits   = ["_image"]
  dockerfile = "indexer/indexer.dockerfile"
  contexts   = {
    "ghcr.io/acme/builder-base:1" = "target:builder-base"
    market-library                = "target:library"
    market-networks               = "target:networks"
  }
}

target "indexer-market" {
  inherits = ["_indexer"]
  args     = { BIN = "market" }
  tags     = ["${REPO}/indexer-market:dev"]
}

target "indexer-rewards" {
  inherits = ["_indexer"]
  args     = { BIN = "rewards" }
  tags     = ["${REPO}/indexer-rewards:dev"]
}

target "indexer-backfill" {
  inherits   = ["_image"]
  dockerfile = "indexer/backfill/Dockerfile"
  contexts   = {
    "ghcr.io/acme/builder-base:1"            = "target:builder-base"
    "ghcr.io/acme/market/indexer-market:dev" = "target:indexer-market"
    market-library                           = "target:library"
  }
  tags = ["${REPO}/indexer-backfill:dev"]
}
