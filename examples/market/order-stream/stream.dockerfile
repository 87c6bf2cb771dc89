# syntax is the engine's own. This file has an ignore file of its own, beside it.
FROM ghcr.io/acme/builder-base:1 AS build
COPY . .
COPY --from=market-library /out/lib /lib-market
RUN --mount=type=cache,id=mkprog,target=/var/cache/mkprog,sharing=locked \
    mkprog link order-stream "$(cat VERSION)" /lib-market order-stream/src/main.sh /out/bin/order-stream

FROM busybox:1.36 AS debug
COPY order-stream/src /src
COPY --from=build /out/bin /usr/local/bin

FROM busybox:1.36 AS release
COPY --from=build /out/bin /usr/local/bin
COPY --from=market-networks /out/etc/networks.tsv /etc/market/
RUN echo 'stream:x:1000:1000:stream:/:/bin/false' >>/etc/passwd
USER stream
ARG REVISION
LABEL org.opencontainers.image.revision=$REVISION
ENTRYPOINT ["order-stream"]
