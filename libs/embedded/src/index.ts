export { NATS_SERVER_PACKAGE, resolveNatsServer, type NatsServerLookup, type NatsServerSource } from './binary.js';
export { EmbeddedError, isEmbeddedError, type EmbeddedErrorCode } from './errors.js';
export { startNatsCluster, type NatsCluster, type NatsClusterOptions } from './nats-cluster.js';
export { startNatsServer, type NatsServer, type NatsServerOptions, type ProcessExit } from './nats-server.js';
export { isPortFree, nextFreePort, pickFreePort } from './ports.js';
export { renderServerConfig, type ClusterMember, type NatsServerConfig } from './server-config.js';
