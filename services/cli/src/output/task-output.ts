/**
 * How a command shows a followed task; two forms: for people on a terminal, and JSON lines for programs.
 */
import type { FollowItem, Notice, TaskOutcome, ToolResult } from '@taskstream/client';

export interface TaskOutput {
  /** A task was created and will not be followed. */
  readonly created: (taskId: string) => Promise<void>;
  /** Following begins. */
  readonly begin: (taskId: string) => void;
  readonly item: (item: FollowItem) => Promise<void>;
  readonly notice: (notice: Notice) => void;
  readonly outcome: (outcome: TaskOutcome) => Promise<void>;
  /** The tool answered at once, without a task. */
  readonly immediate: (result: ToolResult) => Promise<void>;
  /** Following ends without an outcome. */
  readonly abandon: () => Promise<void>;
}

/** A stream that text is written to; `write` resolves when more may come. */
export interface TextSink {
  readonly write: (text: string) => Promise<void>;
}
