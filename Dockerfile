# The base is given by digest, so that the same source makes the same image; there is no default that could be forgotten:
#   docker buildx imagetools inspect node:24-bookworm-slim
#   docker buildx imagetools inspect golang:1.26-bookworm
#   docker build --build-arg BASE=node:24-bookworm-slim@sha256:… --build-arg GO=golang:1.26-bookworm@sha256:… \
#     -t sotto:0.1.0 .
# BASE has to be Debian with glibc (docs/runtime.md) and Node.js 24.15 or newer, GO any image with Go 1.26 or newer.
# Nothing else is taken from anywhere but the package mirror of BASE (git, CA certificates), the npm registry
# (package-lock.json, by digest) and the Go module proxy (go.sum, by digest).
ARG BASE
ARG GO

# The release that the tests run against, from the same pinned sources.
FROM ${GO} AS kustomize
ARG GO
RUN case "${GO}" in *@sha256:*) ;; *) echo "GO has to name its image by digest: NAME@sha256:…" >&2; exit 1 ;; esac
WORKDIR /build
COPY test/tools/kustomize/go.mod test/tools/kustomize/go.sum ./
RUN version=$(go list -m -f '{{.Version}}' sigs.k8s.io/kustomize/kustomize/v5) \
 && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X sigs.k8s.io/kustomize/api/provenance.version=${version}" \
      -o /kustomize sigs.k8s.io/kustomize/kustomize/v5

FROM ${BASE} AS build
ARG BASE
RUN case "${BASE}" in *@sha256:*) ;; *) echo "BASE has to name its image by digest: NAME@sha256:…" >&2; exit 1 ;; esac
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils ca-certificates git \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json tsconfig.json ./
COPY .ci .ci
COPY deploy deploy
COPY src src
# `prepare` builds the bundle; nothing of node_modules is needed afterwards.
RUN npm ci --no-audit --no-fund
# The same file set that the tests run the agent in: no shell, no package manager.
COPY --from=kustomize /kustomize /build/kustomize
RUN .ci/image-root /image dist/sotto.cjs /usr/local/bin/node /build/kustomize
COPY LICENSE /image/opt/sotto/LICENSE

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sotto" \
      org.opencontainers.image.description="A secrets-aware GitOps agent that lives in one namespace" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
# Read before the process starts: docs/runtime.md has the reason for each.
ENV PATH=/usr/local/bin:/usr/bin \
    MALLOC_ARENA_MAX=1 \
    GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0 \
    HOME=/nonexistent \
    SOTTO_WORK_DIR=/work
WORKDIR /
# A number, so that runAsNonRoot can be checked. Any other works as well.
USER 65532:65532
EXPOSE 8080
# prlimit: Node cannot forbid itself core dumps. It becomes node, so signals reach the agent.
ENTRYPOINT ["prlimit", "--core=0:0", "node", "--disable-sigusr1", "--max-semi-space-size=1", "--v8-pool-size=1", "/opt/sotto/sotto.cjs"]
CMD ["agent"]
