/** A server that speaks OpenAI's streaming chat completions, with answers from a list. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Answer {
  readonly text?: string;
  readonly toolCalls?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>;
  /** Breaks off in the middle of the stream. */
  readonly breaks?: boolean;
  /** Instead of a stream. */
  readonly status?: number;
}

export interface SeenRequest {
  readonly headers: IncomingMessage['headers'];
  readonly body: {
    readonly model: string;
    readonly stream: boolean;
    readonly messages: ReadonlyArray<Record<string, unknown>>;
    readonly tools?: ReadonlyArray<{ readonly function: { readonly name: string } }>;
  };
}

export class FakeOpenAi implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** Given in the order of the requests. */
  answers: Answer[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeOpenAi> {
    const server = createServer();
    const fake = new FakeOpenAi(server);
    server.on('request', (request, response) => {
      void (async () => {
        let text = '';
        for await (const chunk of request) text += String(chunk);
        fake.requests.push({ headers: request.headers, body: JSON.parse(text) as SeenRequest['body'] });
        const answer = request.url === '/v1/chat/completions' ? fake.answers.shift() : { status: 404 };
        if (answer === undefined || answer.status !== undefined) {
          response.writeHead(answer?.status ?? 500).end('{"error":{"message":"no answer"}}');
          return;
        }
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const piece of piecesOf(answer)) response.write(piece);
        if (answer.breaks === true) response.destroy();
        else response.end('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
      })();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** As real servers do: text by words, calls by pieces of their arguments, cut anywhere. */
function piecesOf({ text = '', toolCalls = [] }: Answer): Buffer[] {
  const chunk = (delta: object) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`;
  let wire = chunk({ role: 'assistant', content: '' });
  for (const word of text.match(/\S+\s*/g) ?? []) wire += chunk({ content: word });
  for (const [index, call] of toolCalls.entries()) {
    wire += chunk({
      tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }],
    });
    for (const part of call.arguments.match(/.{1,7}/gs) ?? []) {
      wire += chunk({ tool_calls: [{ index, function: { arguments: part } }] });
    }
  }
  const bytes = Buffer.from(wire);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 61) pieces.push(bytes.subarray(at, at + 61));
  return pieces;
}
