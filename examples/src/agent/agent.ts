/**
 * An agent: a model that thinks in turns, uses tools, asks the user and delegates to helpers.
 *
 * Invariants: each turn of the model is a step, so that a crash pays for no turn twice; what a turn tells is told within
 * its step, so that a later attempt does not tell it again; a helper is a child task, found again by later attempts and
 * ended with its parent; turns and depth are bounded; a tool that fails tells the model, not the user.
 */
import { defineTool, ToolError, type Task, type Tool } from '@taskstream/worker';
import * as z from 'zod';
import { agentEvents } from './agent-events.js';
import { ModelTurn, type Message, type Model, type ModelTool, type ToolCall } from './model.js';

type AgentTask = Task<typeof agentEvents>;

const AgentOptions = z.strictObject({
  /** Turns of one agent. */
  turnsMax: z.int().positive().default(20),
  /** Helpers of helpers: 1 lets the lead delegate, and nobody else. */
  depthMax: z.int().nonnegative().default(2),
  turnMsMax: z.int().positive().default(120_000),
});
type Options = z.output<typeof AgentOptions>;

const toolInputs = {
  add: z.object({ numbers: z.array(z.number()) }).describe('Adds numbers up'),
  ask_user: z.object({ question: z.string() }).describe('Asks the user a question'),
  delegate: z
    .object({ name: z.string().min(1).max(40), task: z.string().min(1) })
    .describe('Lets a helper do a part of the work'),
};
const MODEL_TOOLS: ReadonlyArray<ModelTool> = Object.entries(toolInputs).map(([name, schema]) => {
  const { $schema: _, ...parameters } = z.toJSONSchema(schema);
  return { name, description: schema.description ?? name, parameters };
});

/** @throws ZodError when the options are not valid */
export function agentTool(model: Model, given: z.input<typeof AgentOptions> = {}): Tool {
  const options = AgentOptions.parse(given);
  return defineTool({
    name: 'agent',
    description: 'Works on a request in turns of a language model, with tools, helpers and questions to the user',
    inputSchema: z.object({
      prompt: z.string().min(1),
      name: z.string().min(1).max(40).default('lead'),
      depth: z.int().min(0).max(options.depthMax).default(0).describe('0: nobody has delegated to it'),
    }),
    events: agentEvents,
    run: ({ prompt, name, depth }, task) => new Agent(model, options, task, { name, depth }).work(prompt),
  });
}

interface Who {
  readonly name: string;
  readonly depth: number;
}

class Agent {
  readonly #model: Model;
  readonly #options: Options;
  readonly #task: AgentTask;
  readonly #who: Who;

  constructor(model: Model, options: Options, task: AgentTask, who: Who) {
    this.#model = model;
    this.#options = options;
    this.#task = task;
    this.#who = who;
  }

  async work(request: string): Promise<string> {
    const { name } = this.#who;
    const self = { itemId: name, agentId: name };
    await this.#once('started', () => this.#task.emit('com.example.agent.started', { name }, self));
    const messages: Message[] = [
      { role: 'system', content: `You are ${name}. Use the tools when they help, then answer.` },
      { role: 'user', content: request },
    ];
    for (let n = 1; n <= this.#options.turnsMax; n++) {
      const { text, toolCalls } = await this.#turn(n, messages);
      messages.push({ role: 'assistant', content: text, toolCalls });
      if (toolCalls.length === 0) {
        await this.#once('finished', () => this.#task.emit('com.example.agent.finished', {}, self));
        return text;
      }
      for (const [i, call] of toolCalls.entries()) {
        messages.push({ role: 'tool', toolCallId: call.id, content: await this.#use(`t${n}.${i + 1}`, call) });
      }
    }
    throw new ToolError(`${name} has not come to an end after ${this.#options.turnsMax} turns`);
  }

  /** One turn of the model, paid for once. A try that fails leaves an unfinished message; a later attempt begins it again. */
  #turn(n: number, messages: ReadonlyArray<Message>): Promise<ModelTurn> {
    return this.#task.step(
      `${this.#who.name}/m${n}`,
      async ({ idempotencyKey, signal, try: tries }) => {
        const itemId = `${this.#who.name}/m${n}${tries === 1 ? '' : `#${tries}`}`;
        const identity = { itemId, parentItemId: this.#who.name, agentId: this.#who.name };
        void this.#task.emit('com.example.message.started', { role: 'assistant' }, identity);
        const turn = await this.#model.turn({
          agent: this.#who.name,
          messages,
          tools:
            this.#who.depth < this.#options.depthMax ? MODEL_TOOLS : MODEL_TOOLS.filter((t) => t.name !== 'delegate'),
          signal,
          idempotencyKey,
          onText: (text) => void this.#task.emit('com.example.message.delta', { text }, identity),
        });
        void this.#task.emit('com.example.message.finished', { text: turn.text }, identity);
        return turn;
      },
      { schema: ModelTurn, timeoutMs: this.#options.turnMsMax },
    );
  }

  /** Uses one tool and tells of it. The text that the model gets. */
  async #use(place: string, call: ToolCall): Promise<string> {
    const identity = {
      itemId: `${this.#who.name}/${place}`,
      parentItemId: this.#who.name,
      agentId: this.#who.name,
      ...(call.id !== '' && { toolCallId: call.id }),
    };
    const input = readJson(call.arguments);
    await this.#once(`${place}-started`, () =>
      this.#task.emit('com.example.tool.started', { name: call.name, input: input ?? null }, identity),
    );
    let output: string;
    let isError = false;
    try {
      output = await this.#run(call.name, input, place);
    } catch (error) {
      this.#task.signal.throwIfAborted();
      if (!(error instanceof ToolError)) throw error;
      output = error.message;
      isError = true;
    }
    await this.#once(`${place}-finished`, () =>
      this.#task.emit('com.example.tool.finished', { output, isError }, identity),
    );
    return output;
  }

  async #run(name: string, input: unknown, place: string): Promise<string> {
    switch (name) {
      case 'add': {
        const { numbers } = this.#input('add', toolInputs.add, input);
        return String(numbers.reduce((sum, n) => sum + n, 0));
      }
      case 'ask_user': {
        const { question } = this.#input('ask_user', toolInputs.ask_user, input);
        // The place in the name: the same question may be asked twice.
        const answer = await this.#task.elicit(`ask ${place}`, question, z.object({ answer: z.string() }));
        return answer.action === 'accept' ? answer.content.answer : `The user did not answer (${answer.action}).`;
      }
      case 'delegate': {
        if (this.#who.depth >= this.#options.depthMax) throw new ToolError('Helpers have no helpers of their own here');
        const { name: helper, task } = this.#input('delegate', toolInputs.delegate, input);
        // A task of its own, on any worker; the same one again when this one goes on after a crash.
        const work = { prompt: task, name: helper, depth: this.#who.depth + 1 };
        const child = await this.#task.spawn('agent', work, { name: place, asks: true });
        const { content, isError } = await child.result();
        const text = content.flatMap((block) => (typeof block['text'] === 'string' ? [block['text']] : [])).join('\n');
        if (isError === true) throw new ToolError(text);
        return text;
      }
      default:
        throw new ToolError(`There is no tool ${name}`);
    }
  }

  #input<Schema extends z.ZodType>(name: string, schema: Schema, input: unknown): z.output<Schema> {
    const parsed = schema.safeParse(input);
    if (!parsed.success) throw new ToolError(`Invalid arguments for ${name}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  }

  /** Tells something once, whatever attempt it is. */
  #once(what: string, tell: () => Promise<void>): Promise<void> {
    return this.#task.step(`${this.#who.name}/${what}`, tell);
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    return undefined;
  }
}
