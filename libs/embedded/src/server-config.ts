/**
 * The text of a nats-server configuration for development and tests.
 *
 * Invariants: every listener is on 127.0.0.1; JetStream has a store directory of its own; the log and its rotation
 * are bounded.
 */
export const LOOPBACK = '127.0.0.1';
const PAYLOAD_BYTES_MAX_DEFAULT = 1024 * 1024;
/** Streams reserve their byte limits up front; what a development disk has free shall not refuse them. */
const STORE_BYTES_MAX_DEFAULT = 64 * 1024 ** 3;
const LOG_FILE_BYTES_MAX = 16 * 1024 ** 2;
const LOG_FILES_MAX = 3;

export interface ClusterMember {
  readonly name: string;
  /** Port of this server's route listener. */
  readonly port: number;
  /** Route ports of all members. */
  readonly routePorts: readonly number[];
}

export interface NatsServerConfig {
  readonly name: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly storeDir: string;
  readonly logFile: string;
  readonly pidFile: string;
  readonly payloadBytesMax?: number | undefined;
  readonly storeBytesMax?: number | undefined;
  /** `always`, or a duration as nats-server writes it (`100ms`, `2m`); absent is the server's own default. */
  readonly syncInterval?: string | undefined;
  readonly cluster?: ClusterMember | undefined;
  /** Lines that are appended as they are. */
  readonly extraConfig?: string | undefined;
}

export function renderServerConfig(config: NatsServerConfig): string {
  const jetstream = [
    `  store_dir: ${JSON.stringify(config.storeDir)}`,
    `  max_file_store: ${config.storeBytesMax ?? STORE_BYTES_MAX_DEFAULT}`,
    ...(config.syncInterval === undefined ? [] : [`  sync_interval: ${config.syncInterval}`]),
  ];
  const lines = [
    `server_name: ${JSON.stringify(config.name)}`,
    `listen: "${LOOPBACK}:${config.port}"`,
    `http: "${LOOPBACK}:${config.monitorPort}"`,
    `max_payload: ${config.payloadBytesMax ?? PAYLOAD_BYTES_MAX_DEFAULT}`,
    `pid_file: ${JSON.stringify(config.pidFile)}`,
    `log_file: ${JSON.stringify(config.logFile)}`,
    `logfile_size_limit: ${LOG_FILE_BYTES_MAX}`,
    `logfile_max_num: ${LOG_FILES_MAX}`,
    'jetstream {',
    ...jetstream,
    '}',
  ];
  if (config.cluster !== undefined) {
    const routes = config.cluster.routePorts.map((port) => `"nats://${LOOPBACK}:${port}"`).join(', ');
    lines.push(
      'cluster {',
      `  name: ${JSON.stringify(config.cluster.name)}`,
      `  listen: "${LOOPBACK}:${config.cluster.port}"`,
      '  no_advertise: true',
      `  routes: [${routes}]`,
      '}',
    );
  }
  if (config.extraConfig !== undefined) lines.push(config.extraConfig);
  return `${lines.join('\n')}\n`;
}
