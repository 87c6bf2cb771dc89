# BIN decides which folder is read: each of the two images depends on its own program alone.
ARG BUSYBOX=1.36
FROM ghcr.io/acme/builder-base:1 AS build
ARG BIN
COPY VERSION ./
COPY indexer/shared/ shared/
COPY indexer/${BIN}/ ${BIN}/
COPY --from=market-library /out/lib /lib-market
RUN --mount=type=cache,id=mkprog,target=/var/cache/mkprog <<SCRIPT
    set -eu
    cat shared/*.sh "${BIN}/main.sh" >joined.sh
    mkprog link "indexer-${BIN}" "$(cat VERSION)" /lib-market joined.sh "/out/bin/indexer-${BIN}"
SCRIPT

FROM busybox:${BUSYBOX}
ARG BIN
COPY --from=build /out/bin/ /usr/local/bin/
COPY --from=market-networks /out/etc/ /etc/market/
COPY <<HELP <<-"NOTICE" /usr/share/doc/indexer/
indexer-${BIN} reads events, one a line, from its standard input.
HELP
	Amounts are in the smallest unit, $BIN or not.
NOTICE
RUN ln -s "indexer-${BIN}" /usr/local/bin/indexer
USER nobody
HEALTHCHECK CMD ["indexer", "--version"]
ARG REVISION
LABEL org.opencontainers.image.revision=$REVISION
ENTRYPOINT ["indexer"]
