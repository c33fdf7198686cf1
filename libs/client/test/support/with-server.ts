/** Starts fake servers for a test and closes them after it; collects what a follow yields. */
import { afterEach } from 'vitest';
import type { ConnectionOptions, Follow, FollowItem, FollowOptions, TaskOutcome } from '../../src/api.js';
import { followTask } from '../../src/follow-task.js';
import type { Notice } from '../../src/notices.js';
import { FakeServer, TASK, type Handler } from './fake-server.js';

const running: FakeServer[] = [];

afterEach(async () => {
  const servers = running.splice(0);
  await Promise.all(servers.map((server) => server.close()));
  const errors = servers.flatMap((server) => server.errors);
  if (errors.length > 0) throw new AggregateError(errors, 'A fake server failed');
});

export async function serve(handlers: Readonly<Record<string, Handler>>): Promise<FakeServer> {
  const server = await FakeServer.start(handlers);
  running.push(server);
  return server;
}

/** Small bounds, so that tests need not wait. */
export const FAST = {
  attemptsMax: 4,
  backoffBaseMs: 2,
  backoffMaxMs: 4,
  silenceTimeoutMs: 2_000,
  pollIntervalMinMs: 1,
};

export interface Run {
  readonly follow: Follow;
  readonly items: FollowItem[];
  readonly notices: Notice[];
  readonly error: unknown;
  readonly outcome: TaskOutcome | undefined;
  seqs(): number[];
  faults(): string[];
}

/** Follows to the end. */
export async function runFollow(
  server: FakeServer | readonly string[],
  options: Partial<ConnectionOptions & FollowOptions> = {},
): Promise<Run> {
  const notices: Notice[] = [];
  const items: FollowItem[] = [];
  const follow = followTask(TASK, {
    endpoints: server instanceof FakeServer ? [server.url] : server,
    ...options,
    limits: { ...FAST, ...options.limits },
    onNotice: (notice) => notices.push(notice),
  });
  let error: unknown;
  try {
    for await (const item of follow) items.push(item);
  } catch (thrown) {
    error = thrown;
  }
  const outcome = await follow.outcome.catch(() => undefined);
  return {
    follow,
    items,
    notices,
    error,
    outcome,
    seqs: () => items.flatMap((item) => (item.type === 'event' ? [item.event.seq] : [])),
    faults: () => notices.flatMap((notice) => (notice.type === 'protocol-fault' ? [notice.fault] : [])),
  };
}

/** Lets one part of a test wait for another. */
export function latch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
