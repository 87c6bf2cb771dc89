# The binary alone, on a small Debian.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /imgraph
COPY Cargo.toml Cargo.lock ./
COPY src src
# Cargo wants to see every bench that the manifest names.
COPY benches benches
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/imgraph/target \
    cargo build --release --locked && cp target/release/imgraph /usr/local/bin/imgraph

FROM debian:bookworm-slim
ARG REVISION=unknown
LABEL org.opencontainers.image.revision=$REVISION
# git answers ${git.sha} and its like.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/imgraph /usr/local/bin/imgraph
ENTRYPOINT ["imgraph"]
