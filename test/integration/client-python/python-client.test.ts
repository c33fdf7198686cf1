/**
 * The Python client: its own tests and types, and the whole system with front ends that are killed and stopped while it
 * reads, by threads and by asyncio, in both eras.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { callTask, readStream } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { followWithPython, runPython, whyNoPython } from './python.js';

const why = whyNoPython();
if (why !== undefined) process.stderr.write(`NOT TESTED: the Python client, because ${why}\n`);
const MYPY = '/usr/bin/mypy';
if (!existsSync(MYPY))
  process.stderr.write("NOT TESTED: the types of the Python client, because Debian's mypy is not installed\n");

const EVENTS = 60;
const QUICKLY = ['--backoff-base-ms', '20', '--backoff-max-ms', '200'];

describe.runIf(why === undefined)('the Python client', () => {
  it('passes its own tests', () => {
    const { code, output } = runPython(['-m', 'unittest', 'discover', '-s', 'tests', '-t', '.']);
    expect(output).toMatch(/Ran (2[5-9]|[3-9]\d) tests/);
    expect(code, output).toBe(0);
  });

  it.runIf(existsSync(MYPY))('has types that hold', () => {
    const { code, output } = runPython([], MYPY);
    expect(output).toContain('Success: no issues found in');
    expect(code).toBe(0);
  });

  describe('on a real system', () => {
    let nats: TestNats;
    let processes: TestProcess[] = [];
    let frontEnds: FrontEnd[] = [];

    beforeAll(async () => {
      nats = await startNats();
      const env = {
        TASKSTREAM_SESSION_KEY: 'a key that both front ends of this test share',
        TASKSTREAM_HEARTBEAT_MS: '200',
      };
      frontEnds = await Promise.all([0, 1, 2].map(() => startFrontEnd(nats.url, env)));
      processes = [await startWorker(nats.url), ...frontEnds];
    });

    afterAll(async () => {
      await stopAll(processes);
      await nats?.[Symbol.asyncDispose]();
    });

    it.each([
      { way: 'threads', era: '2026-07-28' },
      { way: 'asyncio', era: '2026-07-28' },
      { way: 'threads', era: '2025-11-25' },
      { way: 'asyncio', era: '2025-11-25' },
    ])('reads every event once over a front end that is killed: $way, $era', async ({ way, era }) => {
      const victim = await startFrontEnd(nats.url, {
        TASKSTREAM_SESSION_KEY: 'a key that both front ends of this test share',
      });
      processes.push(victim);
      const [second, third] = frontEnds as [FrontEnd, FrontEnd];
      const taskId = await callTask(second.endpoint, 'count', { n: EVENTS, everyMs: 10 });
      const more = ['--era', era, ...QUICKLY, ...(way === 'asyncio' ? ['--asyncio'] : [])];
      const follow = followWithPython([victim.endpoint, second.endpoint, third.endpoint], taskId, more);
      await follow.reached(10);
      victim.kill('SIGKILL');
      expect(await follow.ended, JSON.stringify(follow.notices)).toBe(0);
      const whole = await readStream(second.endpoint, taskId);
      expect(follow.lines.slice(0, -1)).toEqual(whole.params);
      expect(JSON.parse(follow.lines.at(-1) ?? '')).toMatchObject({ outcome: { status: 'completed' } });
      expect(follow.notices.some((n) => n['kind'] === 'reconnecting' && n['cause'] === 'network')).toBe(true);
      expect(follow.notices.filter((n) => n['kind'] === 'protocol-fault')).toEqual([]);
    });

    it('leaves a front end that is stopped but keeps its socket', async () => {
      const [first, second] = frontEnds as [FrontEnd, FrontEnd];
      const taskId = await callTask(second.endpoint, 'count', { n: EVENTS, everyMs: 20 });
      const follow = followWithPython([first.endpoint, second.endpoint], taskId, [
        ...QUICKLY,
        '--silence-timeout-ms',
        '1500',
      ]);
      await follow.reached(5);
      first.kill('SIGSTOP');
      try {
        expect(await follow.ended, JSON.stringify(follow.notices)).toBe(0);
      } finally {
        first.kill('SIGCONT');
      }
      expect(follow.lines.slice(0, -1)).toEqual((await readStream(second.endpoint, taskId)).params);
      expect(follow.notices.some((n) => n['cause'] === 'silence')).toBe(true);
    });

    it('says what is wrong with a request, by a code', async () => {
      const follow = followWithPython([frontEnds[1]!.endpoint], 'd0-no-such-task-exists-here');
      expect(await follow.ended).toBe(1);
      expect(follow.notices.at(-1)).toMatchObject({ error: { code: 'unknown_task' } });
    });
  });
});
