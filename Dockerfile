# One image a service: --target front-end, --target worker, --target cli.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.base.json tsconfig.json ./
COPY libs libs
COPY services services
COPY test/tsconfig.json test/tsconfig.json
RUN npm ci && npx tsc -b libs/protocol libs/core libs/jetstream libs/worker libs/client libs/service-host libs/embedded \
      services/front-end services/worker services/cli \
 && npm prune --omit=dev --omit=optional

FROM node:24-bookworm-slim AS base
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/libs libs
COPY --from=build /app/services services
USER 65532:65532
ENTRYPOINT ["node", "--enable-source-maps"]

FROM base AS front-end
ENV TASKSTREAM_HOST=0.0.0.0 TASKSTREAM_PORT=3000 TASKSTREAM_OPS_HOST=0.0.0.0 TASKSTREAM_OPS_PORT=9464
EXPOSE 3000 9464
CMD ["services/front-end/dist/main.js"]

FROM base AS worker
ENV TASKSTREAM_OPS_HOST=0.0.0.0 TASKSTREAM_OPS_PORT=9464
EXPOSE 9464
CMD ["services/worker/dist/main.js"]

FROM base AS cli
CMD ["services/cli/dist/main.js", "--help"]
