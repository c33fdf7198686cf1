/**
 * A fault that a user can mend: its message says what is wrong and what to do; it is shown without a stack trace.
 */
export class ServiceError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ServiceError';
  }
}
