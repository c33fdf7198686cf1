/**
 * The ways in which an embedded nats-server can fail to come up, told apart by `code`.
 *
 * Invariant: callers key on `code`; every message says what to do next.
 */
export type EmbeddedErrorCode =
  /** No nats-server binary was found, or the one that was named cannot be run. */
  | 'server_not_found'
  /** A port that was asked for belongs to another process. */
  | 'port_taken'
  /** Another nats-server is at work in the data directory. */
  | 'data_dir_in_use'
  /** nats-server refused the generated configuration. */
  | 'config_refused'
  /** The server ended, or was not ready in time. */
  | 'start_failed';

export class EmbeddedError extends Error {
  readonly code: EmbeddedErrorCode;

  constructor(code: EmbeddedErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EmbeddedError';
    this.code = code;
  }
}

export function isEmbeddedError(error: unknown, code?: EmbeddedErrorCode): error is EmbeddedError {
  return error instanceof EmbeddedError && (code === undefined || error.code === code);
}
