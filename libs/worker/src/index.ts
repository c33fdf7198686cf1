export {
  defineTool,
  InvalidArguments,
  InvalidResult,
  type ElicitAnswer,
  type SampleParams,
  type SampleResult,
  type StepCall,
  type StepFunction,
  type StepOptions,
  type Task,
  type Tool,
  type ToolOptions,
} from './define-tool.js';
export type { EventDeclaration, EventDeclarations } from './declared-events.js';
export type { ChildTask, TaskOutcome } from './child-task.js';
export type { ChildPorts, SpawnOptions } from './children.js';
export type { AskOptions, InputRequest } from './input-desk.js';
export type { SteerMessage, TaskMailbox } from './task-mailbox.js';
export {
  AttemptSuspended,
  RetryableError,
  StateMisuse,
  StepTimeout,
  ToolError,
  ToolProtocolError,
} from './tool-errors.js';
export {
  workerOptionsShape,
  type AttemptFact,
  type StepFact,
  type WorkerObserver,
  type WorkerOptions,
} from './worker-options.js';
export type { ContentBlock, ToolResult } from './tool-result.js';
export { WorkerRuntime, type WorkerParts } from './worker-runtime.js';
