/**
 * What the MCP handlers are built from.
 */
import type { EventReader, LimitHit, RetentionClass, TaskStore, ToolCatalogue } from '@taskstream/core';
import type { FrontEndLimits } from '../config.js';
import type { OwnedTasks } from '../owned-tasks.js';
import type { OpenCalls } from './open-calls.js';
import type { RequestStates } from './request-states.js';
import type { ToolArguments } from '../tool-arguments.js';

export interface McpParts {
  readonly tasks: TaskStore;
  readonly owned: OwnedTasks;
  readonly events: EventReader;
  readonly catalogue: ToolCatalogue;
  readonly toolArguments: ToolArguments;
  readonly requestStates: RequestStates;
  readonly calls: OpenCalls;
  readonly retentionClasses: ReadonlyArray<RetentionClass>;
  readonly shards: number;
  readonly limits: FrontEndLimits;
  /** Also told `draining`, which is no key. */
  readonly limitHit: LimitHit;
  readonly serverInfo: { readonly name: string; readonly version: string };
}
