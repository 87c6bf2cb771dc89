# Stages that several services take files from.
ARG BUILDER_TAG=1
FROM ghcr.io/acme/builder-base:${BUILDER_TAG} AS sources
COPY crates/ crates/

FROM sources AS library
RUN mkprog library /out/lib crates/market-common/src crates/market-events/src

# Not reached by any target: the library's own test, for whoever builds this stage by hand.
FROM library AS library-test
COPY crates/market-common/tests/ tests/
RUN for test in tests/*.sh; do sh "$test" /out/lib; done

FROM ghcr.io/acme/builder-base:${BUILDER_TAG} AS networks
COPY config/networks/*.tsv networks/
RUN <<SCRIPT
    set -eu
    mkdir -p /out/etc
    for file in networks/*.tsv; do
        name=${file##*/}
        awk -v network="${name%.tsv}" '!/^#/ && NF { print network "\t" $0 }' "$file"
    done | sort >/out/etc/networks.tsv
SCRIPT
