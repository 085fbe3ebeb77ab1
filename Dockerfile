# The base is given by digest, so that the same source makes the same image; there is no default to forget:
#   docker buildx imagetools inspect node:24-bookworm-slim
#   docker build --build-arg BASE=node:24-bookworm-slim@sha256:… -t sotto .
# It has to be glibc (docs/runtime.md) and Node.js 24.15 or newer.
ARG BASE

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json tsconfig.json ./
COPY .ci .ci
COPY src src
# `prepare` builds the bundle; nothing else of node_modules is needed afterwards.
RUN npm ci --no-audit --no-fund

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sotto" \
      org.opencontainers.image.description="A secrets-aware GitOps agent that lives in one namespace" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/dist/sotto.cjs /opt/sotto/sotto.cjs
COPY LICENSE /opt/sotto/LICENSE
# Read before the process starts: docs/runtime.md has the reason for each.
ENV MALLOC_ARENA_MAX=1 \
    GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0 \
    HOME=/nonexistent
WORKDIR /
# A number, so that runAsNonRoot can be checked. Git objects go to /dev/shm, or to SOTTO_WORK_DIR where it is set.
USER 65532:65532
EXPOSE 8080
# `exec`: signals reach the agent. Node cannot forbid itself core dumps, the shell can.
ENTRYPOINT ["/bin/sh", "-c", "ulimit -c 0; exec node --disable-sigusr1 --max-semi-space-size=1 --v8-pool-size=1 /opt/sotto/sotto.cjs \"$@\"", "sotto"]
CMD ["agent"]
