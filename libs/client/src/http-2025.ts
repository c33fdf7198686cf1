/**
 * Sessions of revision 2025-11-25 over HTTP: `initialize`, the session id on every message, answers as messages of their
 * own, cancellation by notification. 2025-11-25 §Lifecycle, §Streamable HTTP, §Cancellation. Loaded only when a server
 * needs it.
 *
 * Invariants: one session an endpoint and set of capabilities; one that the server has forgotten is opened again, once a
 * request; a request that is given up is cancelled before the next one on its session is sent, if the server takes the
 * cancellation within `CANCEL_WAIT_MS`.
 */
import type { STEERING_EXTENSION } from '@taskstream/protocol';
import type { Call, HttpSender, Posted, Reply } from './channel.js';
import { Era2025 } from './era-2025.js';
import { runsTools, type Link2025 } from './link-2025.js';
import { whenAbandoned } from './exchanges.js';
import { membersOf } from './loose.js';
import type { JsonObject } from './shape.js';

const REVISION = '2025-11-25';
/** Without tasks; such servers still have tools. */
const BEFORE_TASKS = ['2025-06-18', '2025-03-26'];
/** As a literal: an import would be shared with the main part. */
const STEERING: typeof STEERING_EXTENSION = 'dev.taskstream/steering';
const CANCEL_WAIT_MS = 2_000;
const NOT_FOUND = 404;
const UNSUPPORTED_REVISION = -32022;

/** Who the client is. */
export interface Session2025Options {
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly capabilities?: JsonObject | undefined;
}

export class Http2025 {
  readonly #transport: HttpSender;
  readonly #options: Session2025Options;
  readonly #era: Era2025;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(transport: HttpSender, options: Session2025Options) {
    this.#transport = transport;
    this.#options = options;
    this.#era = new Era2025(transport.limits);
  }

  /** There is a session with this endpoint. */
  serves(endpoint: number): boolean {
    return [...this.#sessions.keys()].some((key) => key.startsWith(`${endpoint} `));
  }

  /** Whether the endpoint opens a session. Throws what the connection throws. */
  async opens(endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<boolean> {
    try {
      await this.#session(endpoint, call, signal, silenceMs);
      return true;
    } catch (error) {
      if (error instanceof NoSession) return false;
      throw error;
    }
  }

  async post(endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    for (let again = false; ; again = true) {
      let session: Session;
      try {
        session = await this.#session(endpoint, call, signal, silenceMs);
      } catch (error) {
        if (error instanceof NoSession) return error.posted;
        throw error;
      }
      const posted = await this.#era.post(session, call, signal, silenceMs);
      if (again || !session.forgotten) return posted;
      this.#sessions.delete(keyOf(endpoint, call));
    }
  }

  leave(taskId: string): void {
    this.#era.leave(taskId);
  }

  async #session(endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<Session> {
    const key = keyOf(endpoint, call);
    const others = this.#sessions.get(key);
    try {
      if (others !== undefined) return await others;
    } catch (error) {
      // Whoever began to open it may have been aborted: that says nothing of the server.
      if (error instanceof NoSession || signal.aborted) throw error;
    }
    const begun = this.#sessions.get(key);
    if (begun !== undefined) return begun;
    const opening = openSession(this.#transport, endpoint, this.#options, call, signal, silenceMs);
    this.#sessions.set(key, opening);
    opening.catch(() => this.#sessions.delete(key));
    return opening;
  }
}

function keyOf(endpoint: number, { elicitation }: Call): string {
  return `${endpoint} ${elicitation === true}`;
}

/** The server opens no session; `posted` is what it said. */
class NoSession extends Error {
  readonly posted: Posted;

  constructor(posted: Posted) {
    super('The server opens no session');
    this.posted = posted;
  }
}

async function openSession(
  transport: HttpSender,
  endpoint: number,
  { clientInfo, capabilities = {} }: Session2025Options,
  { elicitation }: Call,
  signal: AbortSignal,
  silenceMs: number,
): Promise<Session> {
  const params = {
    protocolVersion: REVISION,
    capabilities: {
      ...(elicitation === true && { elicitation: {} }),
      ...capabilities,
      experimental: { ...membersOf(capabilities['experimental']), [STEERING]: {} },
    },
    clientInfo,
  };
  const sent = await transport.send(endpoint, (id) => ({ id, method: 'initialize', params }), {}, signal, silenceMs);
  const sessionId = sent.response.headers.get('mcp-session-id');
  const posted = await transport.classify(sent, silenceMs);
  const answer = await transport.finish(posted, silenceMs);
  if (answer.type !== 'result') throw new NoSession(answer);
  const revision = String(answer.result['protocolVersion']);
  if (revision !== REVISION && !BEFORE_TASKS.includes(revision)) {
    const message = `The server speaks ${revision.slice(0, 40)}`;
    throw new NoSession({ type: 'rpc-error', error: { code: UNSUPPORTED_REVISION, message } });
  }
  const tasks = revision === REVISION && runsTools(answer.result['capabilities']);
  const session = new Session(transport, endpoint, revision, sessionId, tasks);
  await session.tell({ method: 'notifications/initialized' }, signal, silenceMs);
  return session;
}

class Session implements Link2025 {
  readonly tasks: boolean;
  /** The server does not know the session any more. */
  forgotten = false;
  readonly #transport: HttpSender;
  readonly #endpoint: number;
  readonly #headers: Readonly<Record<string, string>>;
  /** The cancellation that is on its way. */
  #cancelling: Promise<unknown> = Promise.resolve();

  constructor(transport: HttpSender, endpoint: number, revision: string, sessionId: string | null, tasks: boolean) {
    this.#transport = transport;
    this.#endpoint = endpoint;
    this.#headers = {
      'mcp-protocol-version': revision,
      ...(sessionId !== null && { 'mcp-session-id': sessionId }),
    };
    this.tasks = tasks;
  }

  async request({ method, params }: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    await this.#cancelling;
    const message = (id: number): JsonObject => ({ id, method, params });
    const sent = await this.#transport.send(this.#endpoint, message, this.#headers, signal, silenceMs);
    if (sent.response.status === NOT_FOUND && 'mcp-session-id' in this.#headers) this.forgotten = true;
    const posted = await this.#transport.classify(sent, silenceMs);
    if (posted.type !== 'open') return posted;
    return { type: 'open', exchange: whenAbandoned(posted.exchange, () => this.#cancel(sent.id)) };
  }

  async ask(call: Call, signal: AbortSignal, silenceMs: number): Promise<Reply> {
    return this.#transport.finish(await this.request(call, signal, silenceMs), silenceMs);
  }

  async respond(id: unknown, response: JsonObject, signal: AbortSignal): Promise<void> {
    await this.tell({ id, result: response }, signal, this.#transport.limits.requestTimeoutMs);
  }

  /** Sends a message that has no response. Throws for a refusal, and like `Exchange.read`. */
  async tell(message: JsonObject, signal: AbortSignal, silenceMs: number): Promise<void> {
    const { response, abort } = await this.#transport.send(
      this.#endpoint,
      () => message,
      this.#headers,
      signal,
      silenceMs,
    );
    abort.abort();
    if (!response.ok) throw new Error(`The server refused a message with HTTP ${response.status}`);
  }

  #cancel(requestId: number): void {
    const message = { method: 'notifications/cancelled', params: { requestId } };
    // Its credentials may keep it waiting, too: the next request does not wait for longer.
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), CANCEL_WAIT_MS);
    // A server that does not take it has lost the connection, too.
    this.#cancelling = this.tell(message, over.signal, CANCEL_WAIT_MS)
      .catch(() => undefined)
      .finally(() => clearTimeout(timer));
  }
}
