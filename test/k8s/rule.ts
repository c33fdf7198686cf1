/**
 * What rules of the lint are given, and how they speak.
 */
export interface Facts {
  /** Queues of the tools that workers of this deployment run. */
  readonly queues: readonly string[];
  /** Full names of the metrics that the services have. */
  readonly metrics: readonly string[];
}

/** `rule` is a short name that mutants are listed with. */
export type Say = (rule: string, where: string, fault: string) => void;
