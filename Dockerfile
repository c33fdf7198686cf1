# One image a service: docker build --target front-end | worker | cli .
#
# Reproducible: the base is pinned, `npm ci` installs what the lock file names by hash, and nothing of the build is
# copied but compiled files. For the same layers from the same commit give the commit's time:
#   SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx build --output type=image,rewrite-timestamp=true …
# Debian slim and not distroless, because tini and the node that runs come from the same place as the node that builds.
ARG NODE_IMAGE=node:24.11.1-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.base.json ./
COPY scripts scripts
COPY libs libs
COPY services services
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
RUN npx tsc -b services/front-end services/worker services/cli

# A tree a service: its own production dependencies and compiled files, nothing else.
FROM build AS front-end-tree
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --omit=optional --workspace @taskstream/front-end
RUN node scripts/strip-sources.mjs

FROM build AS worker-tree
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --omit=optional --workspace @taskstream/worker-service
RUN node scripts/strip-sources.mjs

FROM build AS cli-tree
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --omit=optional --workspace @taskstream/cli
RUN node scripts/strip-sources.mjs

# tini is process 1: it passes signals on and reaps what a tool's children leave behind.
FROM ${NODE_IMAGE} AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini=0.19.0-1* \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache
ENV NODE_ENV=production
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["/usr/bin/tini", "--", "node", "--enable-source-maps"]

FROM base AS service
ENV TASKSTREAM_OPS_HOST=0.0.0.0 TASKSTREAM_OPS_PORT=9464
EXPOSE 9464
# Liveness, not readiness: what is not ready waits for NATS and must not be restarted for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.TASKSTREAM_OPS_PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

FROM service AS front-end
ENV TASKSTREAM_HOST=0.0.0.0 TASKSTREAM_PORT=3000
EXPOSE 3000
COPY --from=front-end-tree /app /app
CMD ["services/front-end/dist/main.js"]

FROM service AS worker
COPY --from=worker-tree /app /app
CMD ["services/worker/dist/main.js"]

FROM base AS cli
HEALTHCHECK NONE
COPY --from=cli-tree /app /app
ENTRYPOINT ["/usr/bin/tini", "--", "node", "services/cli/bin/taskstream.js"]
CMD ["--help"]
