/** What the tests of this service share. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskEvent } from '@taskstream/client';
import { onTestFinished } from 'vitest';
import type { TextSink } from '../src/output/task-output.js';

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'taskstream-cli-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** Occupies a port of the loopback interface until the test ends. */
export async function occupyPort(onConnection?: (socket: Socket) => void): Promise<number> {
  const server = createServer();
  if (onConnection !== undefined) server.on('connection', onConnection);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function until(condition: () => boolean | Promise<boolean>, what: string, msMax = 10_000): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${msMax} ms: ${what}`);
    await sleep(20);
  }
}

export interface Captured extends TextSink {
  text(): string;
  lines(): string[];
}

export function capture(): Captured {
  let text = '';
  return {
    write: async (more) => {
      text += more;
    },
    text: () => text,
    lines: () => text.split('\n').filter((line) => line !== ''),
  };
}

export function event(seq: number, type: string, payload: Record<string, unknown>): TaskEvent {
  return { seq, taskId: 't', type, payload };
}

export interface JournalEntry {
  readonly kind: 'front-end' | 'worker';
  readonly what: 'start' | 'stop';
  readonly pid: number;
  readonly env: Readonly<Record<string, string>>;
}

export async function readJournal(file: string): Promise<readonly JournalEntry[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JournalEntry);
}
