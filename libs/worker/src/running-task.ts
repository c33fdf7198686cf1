/**
 * The `Task` that a tool is handed, on top of the log of its attempt.
 *
 * Invariants: a tool cannot emit under our own prefix; an emit that fails unseen fails the task; after the attempt has
 * ended every emit is refused and reported.
 */
import { attemptName, NOTHING_TAKEN, TaskstreamError, type AttemptLog, type Taken } from '@taskstream/core';
import { describeIssues, SYSTEM_EVENT_PREFIX, SystemEvent, type EventIdentity } from '@taskstream/protocol';
import * as z from 'zod';
import type { ElicitAnswer, Task } from './define-tool.js';
import { draftOf, type DeclaredEvents } from './declared-events.js';
import type { InputDesk, InputRequest } from './input-desk.js';
import { ObservedPromises } from './observed-promise.js';
import { RunningMailbox } from './task-mailbox.js';
import { ToolError } from './tool-errors.js';

const ElicitResponse = z.looseObject({
  action: z.enum(['accept', 'decline', 'cancel']),
  content: z.record(z.string(), z.unknown()).optional(),
});

/** What a running task has to know of its tool. */
export interface ToolFacts {
  readonly name: string;
  readonly events: DeclaredEvents;
  readonly steerable?: boolean;
}

export class RunningTask implements Task {
  readonly id: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  given: Readonly<Record<string, unknown>>;
  readonly #log: AttemptLog;
  readonly #desk: InputDesk;
  readonly mailbox: RunningMailbox;
  readonly #tool: ToolFacts;
  readonly #emits = new ObservedPromises();
  readonly #where = () => attemptName(this.#tool.name, this.id, this.attempt);
  #onLateEmit: ((type: string) => void) | undefined;

  /** `taken`: how far the mailbox was in the log when the attempt began. */
  constructor(
    id: string,
    log: AttemptLog,
    desk: InputDesk,
    signal: AbortSignal,
    given: Readonly<Record<string, unknown>> = {},
    tool: ToolFacts = { name: 'tool', events: new Map() },
    taken: Taken = NOTHING_TAKEN,
  ) {
    this.id = id;
    this.given = given;
    this.attempt = log.attempt;
    this.signal = signal;
    this.#log = log;
    this.#desk = desk;
    this.#tool = tool;
    this.mailbox = new RunningMailbox({
      tool: tool.name,
      steerable: tool.steerable === true,
      taken,
      signal,
      tell: (event, now) => void this.#watch(this.#log.appendTaken(event, now)),
    });
  }

  /** Refuses every emit from now on, and tells of it. */
  close(onLateEmit: (type: string) => void): void {
    this.#onLateEmit = onLateEmit;
  }

  /** The first failure of an emit that nobody has looked at. */
  get unseenFailure(): { readonly error: unknown } | undefined {
    return this.#emits.firstUnseen;
  }

  emit(type: string, payload: Readonly<Record<string, unknown>>, identity?: EventIdentity): Promise<void> {
    if (typeof type === 'string' && type.startsWith(SYSTEM_EVENT_PREFIX)) {
      const error = new TaskstreamError(
        'invalid_event',
        `${this.#where()}: type: ${type} is under the prefix of taskstream itself`,
      );
      return this.#watch(Promise.reject(error));
    }
    if (this.#onLateEmit !== undefined) {
      this.#onLateEmit(String(type));
      const message = `${this.#where()} has ended; ${String(type)} is not in the log`;
      return this.#watch(Promise.reject(new TaskstreamError('task_ended', message)));
    }
    const declared = this.#tool.events.get(type);
    if (declared === undefined) {
      return this.#emits.start((seen) => this.#log.append([{ type, payload, identity }], seen));
    }
    return this.#emits.start((seen) => {
      try {
        return this.#log.append([draftOf(type, declared, payload, identity, this.#where)], seen);
      } catch (error) {
        return Promise.reject(error);
      }
    });
  }

  status(message: string): Promise<void> {
    return this.#emits.start((seen) => this.#desk.say(String(message), seen));
  }

  progress(done: number, total?: number, message?: string): Promise<void> {
    if (!Number.isFinite(done) || (total !== undefined && !Number.isFinite(total))) {
      const error = new TaskstreamError(
        'invalid_event',
        `${this.#where()}: progress: expected finite numbers, got ${String(done)} of ${String(total)}`,
      );
      return this.#watch(Promise.reject(error));
    }
    const payload = {
      progress: done,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    };
    return this.#emits.start((seen) => this.#log.append([{ type: SystemEvent.progress, payload }], seen));
  }

  async elicit<Shape extends z.ZodObject>(
    name: string,
    message: string,
    schema: Shape,
  ): Promise<ElicitAnswer<z.output<Shape>>> {
    const { $schema: _, ...requestedSchema } = z.toJSONSchema(schema, { io: 'input' });
    const request: InputRequest = { method: 'elicitation/create', params: { mode: 'form', message, requestedSchema } };
    const answer = ElicitResponse.safeParse(await this.#desk.ask(name, request));
    if (!answer.success) throw new ToolError(`The answer to ${name} is not an elicitation result`);
    if (answer.data.action !== 'accept') return { action: answer.data.action };
    const content = schema.safeParse(answer.data.content);
    if (!content.success) {
      throw new ToolError(
        `The answer to ${name} is invalid: ${describeIssues(content.error, answer.data.content, 'content')}`,
      );
    }
    return { action: 'accept', content: content.data };
  }

  ask(name: string, request: InputRequest): Promise<unknown> {
    return this.#desk.ask(name, request);
  }

  /** Asks what the tool wants to know first and the client has not said yet. */
  async askFirst(questions: Readonly<Record<string, InputRequest>>): Promise<void> {
    const missing = Object.entries(questions).filter(([name]) => !(name in this.given));
    const answers = await Promise.all(
      missing.map(async ([name, request]) => [name, await this.#desk.ask(name, request)] as const),
    );
    this.given = { ...this.given, ...Object.fromEntries(answers) };
  }

  #watch(promise: Promise<void>): Promise<void> {
    return this.#emits.observe(promise);
  }
}
