/**
 * Part (c): each client on servers with one fault each: it notices every fault that one careful reader can see, says
 * which, and never hands on a wrong history without a word.
 */
import type { ProtocolFault } from '@taskstream/client';
import { FAULTS, startSmallServer, type Fault } from '../../conformance/streams/wrong-servers.js';
import { rpcRequest } from '../../support/rpc.js';
import type { ClientName } from './clients.js';
import { startPlayer, type Player, type Seen } from './players.js';

const COUNTED = 20;
/** The statuses before and after. */
const EVENTS = COUNTED + 2;
/** Runs for as long as its server. */
const BESIDE = { n: 1_000_000, everyMs: 3 };
const OWNER = 'chaos';
/** More would make a busy machine look like a silent server. */
const FAULTS_AT_ONCE = 7;
const LIMITS = {
  attemptsMax: 2,
  backoffBaseMs: 5,
  backoffMaxMs: 10,
  silenceTimeoutMs: 1_500,
  pollIntervalMs: 5,
  pollIntervalMinMs: 5,
};

/** What is followed. `beside`: while another task of the same server is running. */
const SCENES = ['live', 'over', 'resumed', 'trimmed', 'beside'] as const;
type Scene = (typeof SCENES)[number];

type Verdict =
  /** Told by name in a notice. */
  | { readonly told: ProtocolFault; readonly code?: string }
  /** The stream is lost and resumed, or given up, for a named cause. */
  | { readonly cause: string }
  /** Not to be seen by one reader that keeps the rules; why. */
  | { readonly unseen: string };

/** Total: a new fault needs a verdict. */
export const VERDICTS: Readonly<Record<Fault, Verdict>> = {
  'drops an event': { told: 'skipped_event', code: 'sequence_gap' },
  'repeats an event': { told: 'repeated_event' },
  'starts at 1': { told: 'starts_above_zero' },
  'skips an event at the live hand-off': { told: 'skipped_event' },
  'forgets related-task': { told: 'missing_related_task' },
  'relates events to another task': { told: 'wrong_related_task' },
  'skips trimmed events silently': { told: 'skipped_event', code: 'sequence_gap' },
  'takes the cursor as inclusive': { told: 'inclusive_after' },
  'emits an unprefixed type': { told: 'unprefixed_type' },
  'emits a type of the standard': { unseen: 'the types of the standard are not a closed list' },
  'emits an array as payload': { told: 'malformed_event', code: 'protocol_fault' },
  'sends events after a terminal cursor': { told: 'inclusive_after' },
  'does not answer a terminal cursor': { cause: 'silence' },
  'accepts what is no cursor': { unseen: 'the client sends no such cursor' },
  'swaps two events': { told: 'skipped_event', code: 'sequence_gap' },
  'ends a live stream without a result': { cause: 'network' },
  'ends with a result that is not empty': { told: 'result_not_empty' },
  'starts with live events without a cursor': { told: 'starts_above_zero' },
  'allows a second stream on a connection': { unseen: 'the client opens no second stream' },
  'refuses a second stream with another code': { unseen: 'the client opens no second stream' },
  'cancels the task with its stream': { unseen: 'the task is cancelled, as others may do it' },
  'streams tasks of others': { unseen: 'the client knows no task of others' },
  'shows each reader another event': { unseen: 'it takes two readers to see' },
  'numbers progress as events': { unseen: 'the client asks for no progress' },
  'sends events with tools/call': { unseen: 'only the stream is believed' },
  'tells another status than tasks/get': { unseen: 'event types belong to vendors; the outcome is that of tasks/get' },
  'names no earliest event': { told: 'gone_without_earliest' },
  'numbers the events of all tasks together': { told: 'skipped_event', code: 'sequence_gap' },
};

export interface WrongServerRow {
  readonly fault: Fault;
  readonly verdict: Verdict;
  /** Faults and causes that were told, over all scenes. */
  readonly told: readonly string[];
  readonly codes: readonly string[];
  /** Histories that were handed on wrong and without a word; or what is missing from the verdict. */
  readonly wrong: readonly string[];
}

type SeenIn = Seen & { readonly scene: Scene };

export async function tryWrongServers(client: ClientName, faults = FAULTS): Promise<readonly WrongServerRow[]> {
  await using player = startPlayer(client);
  const rows: WrongServerRow[] = [];
  for (let i = 0; i < faults.length; i += FAULTS_AT_ONCE) {
    const some = faults.slice(i, i + FAULTS_AT_ONCE).map(async (fault) => {
      return judged(fault, await Promise.all(SCENES.map((scene) => play(player, fault, scene))));
    });
    rows.push(...(await Promise.all(some)));
  }
  return rows;
}

function judged(fault: Fault, seen: readonly SeenIn[]): WrongServerRow {
  const verdict = VERDICTS[fault];
  const told = [...new Set(seen.flatMap(({ told: names }) => [...names]))];
  const codes = [...new Set(seen.flatMap(({ code }) => (code === undefined ? [] : [code])))];
  const wrong: string[] = [];
  const expected = 'told' in verdict ? verdict.told : 'cause' in verdict ? verdict.cause : undefined;
  if (expected !== undefined && !told.includes(expected)) wrong.push(`${expected} was not told`);
  if ('code' in verdict && verdict.code !== undefined && !codes.includes(verdict.code))
    wrong.push(`no ${verdict.code}`);
  const lawful = 'cause' in verdict ? codes : 'told' in verdict ? [verdict.code] : [];
  for (const code of codes) if (!lawful.includes(code)) wrong.push(`ended with ${code}`);
  for (const { scene, seqs, gaps, told: names, code } of seen) {
    const broken = seqs.some((seq, i) => i > 0 && seq !== (seqs[i - 1] ?? 0) + 1);
    if (broken) wrong.push(`${scene}: a gap or a repetition was handed on`);
    const short = scene !== 'trimmed' && scene !== 'resumed' && code === undefined && seqs.length < EVENTS;
    if (short && gaps === 0 && names.length === 0) wrong.push(`${scene}: ${seqs.length} of ${EVENTS} events`);
  }
  return { fault, verdict, told, codes, wrong };
}

async function play(player: Player, fault: Fault, scene: Scene): Promise<SeenIn> {
  await using server = await startSmallServer(fault);
  const timed = scene === 'over' ? { everyMs: 0 } : { everyMs: 3, untilRead: true };
  if (scene === 'beside') {
    const call = rpcRequest('tools/call', { name: 'count', arguments: BESIDE });
    await (await fetch(server.url, call)).text();
  }
  const seen = await player.play({
    url: server.url,
    owner: OWNER,
    limits: LIMITS,
    ...(scene === 'trimmed'
      ? { taskId: server.addTrimmed(OWNER, 5), after: 1 }
      : { call: { n: COUNTED, ...timed }, ...(scene === 'resumed' && { after: 3 }) }),
  });
  return { scene, ...seen };
}
