/**
 * What the agent needs of a language model: one turn at a time, its text as it comes.
 */
import * as z from 'zod';

export const ToolCall = z.object({
  id: z.string(),
  name: z.string(),
  /** JSON text, as the model wrote it. */
  arguments: z.string(),
});
export type ToolCall = z.output<typeof ToolCall>;

/** What the model said in one turn. */
export const ModelTurn = z.object({ text: z.string(), toolCalls: z.array(ToolCall) });
export type ModelTurn = z.output<typeof ModelTurn>;

export type Message =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls: ReadonlyArray<ToolCall> }
  | { readonly role: 'tool'; readonly content: string; readonly toolCallId: string };

/** A tool as the model sees it. */
export interface ModelTool {
  readonly name: string;
  readonly description: string;
  /** JSON schema. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  /** Whose turn it is, for models that play several. */
  readonly agent: string;
  readonly messages: ReadonlyArray<Message>;
  readonly tools: ReadonlyArray<ModelTool>;
  readonly signal: AbortSignal;
  /** The same for every try of the same turn. */
  readonly idempotencyKey: string;
  /** Called with each piece of text as it comes. */
  readonly onText: (text: string) => void;
}

export interface Model {
  /** @throws Error when the model cannot be reached, refuses, or answers with something else */
  turn(request: ModelRequest): Promise<ModelTurn>;
}
