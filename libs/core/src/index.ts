export {
  PROBES_MAX,
  searchAnswer,
  searchStep,
  SLACK_EVENTS,
  startSearch,
  type Found,
  type SearchState,
  type SearchStep,
} from './cursor-search.js';
export { deadlineOf, type Deadline } from './deadline.js';
export { backoffMs, decideDispatch, type AttemptFacts, type DispatchDecision, type DispatchInput } from './dispatch.js';
export { attemptName, isTaskstreamError, TaskstreamError, type ErrorCode } from './errors.js';
export { encodePayload } from './event-payload.js';
export { HAPPENINGS, nextPhase, PHASES, phaseOf, REFUSED, statusOf, type Happening, type Phase } from './lifecycle.js';
export { fit, forEachLine, packEnd, packFrom, type Fit, type Pack } from './pack.js';
export type {
  AttemptLog,
  AttemptStart,
  AttemptState,
  AttemptStore,
  ClaimedItem,
  Delivery,
  CoalesceRule,
  EventDraft,
  EventReader,
  EventStream,
  FrontEndBus,
  LimitHit,
  MailboxCommand,
  MailboxEntry,
  QuestionLeases,
  RequestCancellation,
  RunningLimit,
  Suspension,
  Tail,
  Taken,
  TaskSnapshot,
  TaskStore,
  ToolCatalogue,
  ToolPublisher,
  WorkQueue,
} from './ports.js';
export {
  admits,
  chooseClass,
  FILL_SHARE_MAX,
  isExpired,
  statusDue,
  type RetentionClass,
  type WriteKind,
} from './retention.js';
export { PRIORITY_DEFAULT, PRIORITY_MAX, SPEC_VERSION, TaskSpec } from './spec.js';
export {
  decideCheckpoint,
  decideStep,
  StateName,
  type CheckpointDecision,
  type RecordedStep,
  type StepDecision,
} from './steps.js';
export {
  isOver,
  openSession,
  sessionStep,
  type SessionAction,
  type SessionInput,
  type SessionState,
  type SessionStep,
} from './stream-session.js';
export { decideRepair, PARENT_OVER, type Repair, type SweptTask } from './sweep.js';
export { NOTHING_TAKEN, takeCommand } from './taking.js';
export { formatTaskId, parseTaskId, TASK_ID_LENGTH_MAX, TASK_ID_RANDOM_LENGTH, type TaskPlace } from './task-id.js';
export {
  InputRequestShape,
  QueueName,
  TaskSupport,
  TOOL_DEFINITION_VERSION,
  ToolDefinition,
  ToolName,
} from './tool-definition.js';
