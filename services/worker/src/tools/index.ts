/**
 * The tools that the worker service brings along as examples.
 *
 * Invariant: a tool is made from configuration that is passed in; none reads the environment.
 */
import type { Tool } from '@taskstream/worker';
import { createAuditRepository } from './audit/tool.js';

export { createAuditRepository, type AuditOptions } from './audit/tool.js';

export interface ExampleToolsConfig {
  /** Absolute paths of the directories that `audit_repository` may read. */
  readonly auditRoots: ReadonlyArray<string>;
  /** Where `git` is looked for, in the form of PATH; usual places when absent. */
  readonly gitSearchPath?: string | undefined;
}

/** @throws TypeError when an audit root is not an absolute path */
export function exampleTools(config: ExampleToolsConfig): Tool[] {
  return [
    createAuditRepository({
      roots: config.auditRoots,
      ...(config.gitSearchPath !== undefined && { gitSearchPath: config.gitSearchPath }),
    }),
  ];
}
