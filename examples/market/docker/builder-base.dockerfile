# The image in which every service is built: a base with the project's own small compiler.
ARG BUSYBOX=1.36
FROM busybox:${BUSYBOX}

COPY --chmod=0755 mkprog /usr/local/bin/mkprog
RUN mkdir -p /out /var/cache/mkprog && mkprog --version
ENV MKPROG_CACHE=/var/cache/mkprog
WORKDIR /build
