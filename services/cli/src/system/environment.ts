/**
 * The environment that `up` gives to each service: the user's, with what an embedded system needs.
 *
 * Invariants: where a service listens and which NATS it uses is decided here; everything else that the user has set
 * goes before our defaults.
 */
export interface EnvironmentParts {
  /** The user's environment. */
  readonly user: Readonly<Record<string, string>>;
  readonly natsUrl: string;
  readonly workingDirectory: string;
  /** Signs what clients carry from one front end to another; the same for all of them. */
  readonly sessionKey: string;
  /** Path of the user's tools module. */
  readonly toolsFile: string | undefined;
  /** Whether workers are replaced when the tools change. */
  readonly watch: boolean;
}

const EMBEDDED_LEASE_MS = 5_000;
/** Running tasks go on in the new worker soon, rather than end in the old one. */
const WATCH_DRAIN_MS = 500;

function shared(parts: EnvironmentParts): Readonly<Record<string, string>> {
  const { TASKSTREAM_OPS_PORT: opsPort, ...user } = parts.user;
  return {
    TASKSTREAM_REPLICAS: '1',
    TASKSTREAM_LOG_LEVEL: 'info',
    ...user,
    TASKSTREAM_NATS_URL: parts.natsUrl,
    // `up` reads the lines and makes them pretty itself.
    TASKSTREAM_LOG_PRETTY: 'false',
    // Several processes on one machine cannot share a port.
    ...(opsPort !== undefined && { TASKSTREAM_OPS_PORT: '0' }),
  };
}

export function frontEndEnvironment(parts: EnvironmentParts, port: number): Readonly<Record<string, string>> {
  return {
    TASKSTREAM_HOST: '127.0.0.1',
    TASKSTREAM_SESSION_KEY: parts.sessionKey,
    ...shared(parts),
    TASKSTREAM_PORT: String(port),
  };
}

export function workerEnvironment(parts: EnvironmentParts): Readonly<Record<string, string>> {
  return {
    TASKSTREAM_LEASE_MS: String(EMBEDDED_LEASE_MS),
    TASKSTREAM_AUDIT_ROOTS: parts.workingDirectory,
    ...(parts.watch && { TASKSTREAM_DRAIN_MS_MAX: String(WATCH_DRAIN_MS) }),
    ...shared(parts),
    ...(parts.toolsFile !== undefined && { TASKSTREAM_TOOLS: parts.toolsFile }),
  };
}
