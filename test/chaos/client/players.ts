/**
 * The clients as players: each calls or takes up one task of one server, follows it to its end, and says what it saw.
 *
 * Invariant: a player adds no judgement of its own; what is right is said once, for all of them, in `wrong-servers.ts`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createTaskClient, isClientError, type ConnectionOptions, type Notice } from '@taskstream/client';
import * as z from 'zod';
import { PYTHON_ENV, type ClientName } from './clients.js';

const PLAY = fileURLToPath(new URL('play.py', import.meta.url));

export interface Play {
  readonly url: string;
  /** The `authorization` header. */
  readonly owner: string;
  readonly limits: NonNullable<ConnectionOptions['limits']>;
  /** The task that is followed; else `count` is called with `call`. */
  readonly taskId?: string;
  readonly call?: { readonly n: number; readonly everyMs: number; readonly untilRead?: boolean };
  readonly after?: number;
}

const Seen = z.object({
  seqs: z.array(z.int()),
  gaps: z.int(),
  /** Faults of the server and causes of reconnects, by name. */
  told: z.array(z.string()),
  /** Of the error that the follow ended with. */
  code: z.string().optional(),
});
export type Seen = z.infer<typeof Seen>;

export interface Player extends AsyncDisposable {
  play(play: Play): Promise<Seen>;
}

export function startPlayer(client: ClientName): Player {
  if (client === 'typescript') return { play: playInTypescript, [Symbol.asyncDispose]: () => Promise.resolve() };
  return startPython(client === 'python-asyncio' ? ['--asyncio'] : []);
}

async function playInTypescript({ url, owner, limits, taskId, call, after }: Play): Promise<Seen> {
  const told = new Set<string>();
  const seen = { seqs: [] as number[], gaps: 0 };
  const client = createTaskClient({
    endpoints: [url],
    headers: { authorization: owner },
    limits,
    onNotice: (notice: Notice) => {
      if (notice.type === 'protocol-fault') told.add(notice.fault);
      if (notice.type === 'reconnecting') told.add(notice.cause);
    },
  });
  try {
    const id = taskId ?? (await client.callTool('count', { ...call })).taskId ?? '';
    const follow = client.followTask(id, { onEventsGone: 'resume', ...(after !== undefined && { after }) });
    for await (const item of follow) {
      if (item.type === 'event') seen.seqs.push(item.event.seq);
      else seen.gaps += 1;
    }
    await follow.outcome;
  } catch (error) {
    if (!isClientError(error)) throw error;
    return { ...seen, told: [...told], code: error.code };
  }
  return { ...seen, told: [...told] };
}

/** One process for all plays: starting Python takes longer than a play. */
function startPython(options: readonly string[]): Player {
  const child = spawn('python3', [PLAY, ...options], { env: PYTHON_ENV, stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting = new Map<number, { resolve: (seen: Seen) => void; reject: (error: Error) => void }>();
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  // Why it ended is on standard error.
  child.stdin.on('error', () => {});
  const answers = createInterface(child.stdout).on('line', (line) => {
    const { play, ...seen } = Seen.extend({ play: z.int() }).parse(JSON.parse(line));
    waiting.get(play)?.resolve(seen);
    waiting.delete(play);
  });
  let over = false;
  const ended = Promise.all([once(child, 'exit'), once(answers, 'close')]).then(() => {
    over = true;
    for (const { reject } of waiting.values()) reject(new Error(`the Python player has ended: ${errors}`));
  });
  let plays = 0;
  return {
    play: (asked) =>
      new Promise((resolve, reject) => {
        if (over) return reject(new Error(`the Python player has ended: ${errors}`));
        const play = plays++;
        waiting.set(play, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ play, ...asked })}\n`);
      }),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
