/**
 * A model behind any endpoint that speaks OpenAI's chat completions, streaming.
 *
 * Invariants: what comes is parsed, and bounded; a stream that ends without a finish is a fault, not an answer.
 */
import { createParser } from 'eventsource-parser';
import * as z from 'zod';
import type { Message, Model, ModelTool, ModelTurn } from './model.js';

export const OpenAiOptions = z.strictObject({
  /** Such as `https://api.openai.com/v1`; `/chat/completions` is added. */
  baseUrl: z.url(),
  model: z.string().min(1),
  apiKey: z.string().min(1).optional(),
  responseBytesMax: z.int().positive().default(4_000_000),
});

/** One `data:` of the stream. Members that nobody here needs are left out. */
const Chunk = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        delta: z
          .looseObject({
            content: z.string().nullish(),
            tool_calls: z
              .array(
                z.looseObject({
                  index: z.int().nonnegative().max(100),
                  id: z.string().nullish(),
                  function: z.looseObject({ name: z.string().nullish(), arguments: z.string().nullish() }).optional(),
                }),
              )
              .nullish(),
          })
          .optional(),
        finish_reason: z.string().nullish(),
      }),
    )
    .optional(),
});
type Chunk = z.output<typeof Chunk>;

/** Error bodies are cut, in characters. */
const ERROR_TEXT_MAX = 500;

/** @throws ZodError when the options are not valid */
export function openAiModel(given: z.input<typeof OpenAiOptions>): Model {
  const { baseUrl, model, apiKey, responseBytesMax } = OpenAiOptions.parse(given);
  const url = `${baseUrl.replace(/\/$/, '')}/chat/completions`;
  return {
    turn: async ({ messages, tools, signal, idempotencyKey, onText }) => {
      const response = await fetch(url, {
        method: 'POST',
        signal,
        headers: {
          'content-type': 'application/json',
          'idempotency-key': idempotencyKey,
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        },
        body: JSON.stringify({
          model,
          stream: true,
          messages: messages.map(wireMessage),
          ...(tools.length > 0 && { tools: tools.map(wireTool) }),
        }),
      });
      if (!response.ok || response.body === null) {
        const text = (await response.text()).slice(0, ERROR_TEXT_MAX);
        throw new Error(`The model answered ${response.status}: ${text}`);
      }
      return readTurn(response.body, responseBytesMax, onText);
    },
  };
}

async function readTurn(
  body: AsyncIterable<Uint8Array>,
  responseBytesMax: number,
  onText: (text: string) => void,
): Promise<ModelTurn> {
  const turn = { text: '', toolCalls: [] as Array<{ id: string; name: string; arguments: string }> };
  let finished = false;
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') {
        finished = true;
        return;
      }
      const chunk = Chunk.safeParse(JSON.parse(data));
      if (!chunk.success) throw new Error(`The model sent another shape: ${z.prettifyError(chunk.error)}`);
      if (take(chunk.data, turn, onText)) finished = true;
    },
  });
  const decoder = new TextDecoder();
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > responseBytesMax) throw new Error(`The model's answer has more than ${responseBytesMax} bytes`);
    parser.feed(decoder.decode(piece, { stream: true }));
  }
  if (!finished) throw new Error("The model's stream ended before its answer did");
  return turn;
}

/** Takes a chunk in. Whether the answer is complete. */
function take(chunk: Chunk, turn: ModelTurn, onText: (text: string) => void): boolean {
  const [choice] = chunk.choices ?? [];
  const content = choice?.delta?.content ?? '';
  if (content !== '') {
    turn.text += content;
    onText(content);
  }
  for (const part of choice?.delta?.tool_calls ?? []) {
    const call = (turn.toolCalls[part.index] ??= { id: '', name: '', arguments: '' });
    call.id ||= part.id ?? '';
    call.name += part.function?.name ?? '';
    call.arguments += part.function?.arguments ?? '';
  }
  return choice?.finish_reason !== undefined && choice.finish_reason !== null;
}

function wireTool({ name, description, parameters }: ModelTool): object {
  return { type: 'function', function: { name, description, parameters } };
}

function wireMessage(message: Message): object {
  switch (message.role) {
    case 'tool':
      return { role: 'tool', content: message.content, tool_call_id: message.toolCallId };
    case 'assistant': {
      const calls = message.toolCalls.map((call) => ({
        id: call.id,
        type: 'function',
        function: { name: call.name, arguments: call.arguments },
      }));
      return { role: 'assistant', content: message.content, ...(calls.length > 0 && { tool_calls: calls }) };
    }
    default:
      return { role: message.role, content: message.content };
  }
}
