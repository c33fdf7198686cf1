import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';

interface Fixture {
  readonly child: ChildProcess;
  readonly ready: Promise<unknown>;
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  output(): string;
}

function startFixture(mode: string): Fixture {
  const child = fork(path.join(import.meta.dirname, 'fixtures/service.ts'), [mode], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // Not the event `close`: it does not come after a disconnect by the parent.
  const exit = Promise.all([once(child, 'exit'), once(child.stdout!, 'close'), once(child.stderr!, 'close')]).then(
    ([[code, signal]]) => ({ code, signal }),
  );
  const ready = once(child, 'message').then(([message]) => message as unknown);
  return { child, ready, exit, output: () => output };
}

async function untilOutput(fixture: Fixture, part: string): Promise<void> {
  for (let tries = 0; !fixture.output().includes(part); tries += 1) {
    if (tries > 500) throw new Error(`no ${part} in ${fixture.output()}`);
    await sleep(20);
  }
}

describe('runService', () => {
  it('tells its parent when it is ready', async () => {
    const fixture = startFixture('plain');
    expect(await fixture.ready).toEqual({ type: 'ready', endpoint: 'http://here' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('drains on %s and ends with 0', async (signal) => {
    const fixture = startFixture('plain');
    await fixture.ready;
    fixture.child.kill(signal);
    expect(await fixture.exit).toEqual({ code: 0, signal: null });
    expect(fixture.output()).toContain(`"reason":"${signal}","msg":"stop called"`);
    expect(fixture.output().split('stop called')).toHaveLength(2);
  });

  it('drains when the parent is gone', async () => {
    const fixture = startFixture('plain');
    await fixture.ready;
    fixture.child.disconnect();
    expect(await fixture.exit).toEqual({ code: 0, signal: null });
    expect(fixture.output()).toContain('parent gone');
  });

  it('leaves at once on a second signal', async () => {
    const fixture = startFixture('slow-stop');
    await fixture.ready;
    fixture.child.kill('SIGTERM');
    await untilOutput(fixture, 'stop called');
    fixture.child.kill('SIGINT');
    expect(await fixture.exit).toEqual({ code: 130, signal: null });
  });

  it('takes a signal that comes twice at once for one, and a later one for the second', async () => {
    const fixture = startFixture('slow-stop');
    await fixture.ready;
    fixture.child.kill('SIGTERM');
    await untilOutput(fixture, 'stop called');
    fixture.child.kill('SIGTERM');
    await sleep(600);
    expect(fixture.child.exitCode).toBeNull();
    fixture.child.kill('SIGTERM');
    expect(await fixture.exit).toEqual({ code: 143, signal: null });
  });

  it.each([
    ['stop-hangs', 'raise shutdownMsMax'],
    ['stop-fails', 'flush failed'],
  ])('ends with 1 when the drain does not end well: %s', async (mode, logged) => {
    const fixture = startFixture(mode);
    await fixture.ready;
    fixture.child.kill('SIGTERM');
    expect(await fixture.exit).toEqual({ code: 1, signal: null });
    expect(fixture.output()).toContain(logged);
  });

  it.each([
    ['start-fails', 'no broker'],
    ['start-hangs', 'raise startMsMax'],
  ])('ends with 1 and cleans up when it cannot start: %s', async (mode, logged) => {
    const fixture = startFixture(mode);
    fixture.ready.catch(() => undefined);
    expect(await fixture.exit).toEqual({ code: 1, signal: null });
    expect(fixture.output()).toContain(logged);
    expect(fixture.output()).toContain('"reason":"failed start","msg":"stop called"');
    expect(fixture.output()).not.toContain('"msg":"ready"');
  });

  it.each([
    ['throws-later', 'uncaught exception'],
    ['rejects-later', 'unhandled rejection'],
  ])('logs what nobody caught and ends with 1: %s', async (mode, logged) => {
    const fixture = startFixture(mode);
    await fixture.ready;
    expect(await fixture.exit).toEqual({ code: 1, signal: null });
    expect(fixture.output()).toContain(logged);
    expect(fixture.output()).toContain('please report it');
  });
});
