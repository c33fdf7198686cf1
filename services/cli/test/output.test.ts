import type { FollowItem, TaskOutcome } from '@taskstream/client';
import { describe, expect, it } from 'vitest';
import { exitCodeOfOutcome } from '../src/exit-codes.js';
import { jsonLineOutput } from '../src/output/json-lines.js';
import { printable, printableLine } from '../src/output/printable.js';
import { advanceView, EMPTY_VIEW, renderView } from '../src/output/progress-view.js';
import { resultText, terminalOutput, type Spinner } from '../src/output/terminal.js';
import { capture, event } from './support.js';

const task = {
  taskId: 't',
  createdAt: '2026-11-22T00:00:00.000Z',
  lastUpdatedAt: '2026-11-22T00:00:00.000Z',
  ttlMs: null,
} as const;
const completed: TaskOutcome = {
  status: 'completed',
  result: { content: [{ type: 'text', text: 'all well' }] },
  task: { ...task, status: 'completed' },
};
const failed: TaskOutcome = {
  status: 'failed',
  error: { code: -32603, message: 'disk full' },
  task: { ...task, status: 'failed' },
};
const cancelled: TaskOutcome = { status: 'cancelled', task: { ...task, status: 'cancelled' } };

function item(seq: number, type: string, payload: Record<string, unknown>, raw?: string): FollowItem {
  return { type: 'event', event: event(seq, type, payload), ...(raw !== undefined && { raw }) };
}

describe('printable', () => {
  it('lets no escape sequence and no control character through', () => {
    expect(printable('\u001b[2Jred\u001b[0m\u0007\u0000 \u009b1A\u202Etxt\tok\n')).toBe('red txt\tok\n');
    expect(printable('\u001b]0;title\u0007x\r')).toBe('x');
  });

  it('cuts long lines without leaving half a character', () => {
    expect(printableLine('a\n b\t c', 10)).toBe('a b c');
    expect(printableLine('abcdef', 4)).toBe('abc…');
    expect(printableLine('ab😀def', 4)).toBe('ab…');
  });
});

describe('the progress view', () => {
  it('follows progress, status messages and attempts, and counts everything', () => {
    const events = [
      event(0, 'dev.taskstream.task.status', { status: 'working' }),
      event(1, 'dev.taskstream.attempt.started', { attempt: 1, worker: 'w', cause: 'first' }),
      event(2, 'dev.taskstream.task.progress', { progress: 1, total: 3, message: 'one' }),
      event(3, 'com.example.tool.thing', { progress: 99 }),
      event(4, 'dev.taskstream.attempt.started', { attempt: 2, worker: 'x', cause: 'lease_lost' }),
      event(5, 'dev.taskstream.task.progress', { progress: 2 }),
      event(6, 'dev.taskstream.task.status', { status: 'working', statusMessage: 'two \u001b[31m' }),
    ];
    expect(renderView(events.reduce(advanceView, EMPTY_VIEW))).toBe('66% (2/3) · two · 7 events · attempt 2');
  });

  it('shows what it has', () => {
    expect(renderView(EMPTY_VIEW)).toBe('0 events');
    expect(renderView({ ...EMPTY_VIEW, events: 1, progress: 5 })).toBe('5 · 1 event');
    expect(renderView({ ...EMPTY_VIEW, progress: 7, total: 5 })).toBe('100% (7/5) · 0 events');
    expect(renderView({ ...EMPTY_VIEW, events: 1234 })).toBe('1,234 events');
  });

  it('is not upset by payloads that are not what their type says', () => {
    const odd = event(0, 'dev.taskstream.task.progress', { progress: 'much' });
    expect(renderView(advanceView(EMPTY_VIEW, odd))).toBe('1 event');
  });
});

describe('JSON lines', () => {
  it('are the params of each event byte for byte, then one line with the outcome', async () => {
    const out = capture();
    const output = jsonLineOutput({ out, note: () => undefined, verbose: false });
    output.begin('t');
    await output.item(item(0, 'a.b.c', {}, '{"seq":0, "odd":  1.0}'));
    await output.item({ type: 'gap', from: 1, to: 4, restarted: false });
    await output.outcome(completed);
    expect(out.lines()).toEqual([
      '{"seq":0, "odd":  1.0}',
      '{"gap":{"from":1,"to":4,"restarted":false}}',
      '{"outcome":{"taskId":"t","status":"completed","result":{"content":[{"type":"text","text":"all well"}]}}}',
    ]);
  });

  it('tell failures and cancellations', async () => {
    const out = capture();
    const output = jsonLineOutput({ out, note: () => undefined, verbose: false });
    await output.outcome(failed);
    await output.outcome(cancelled);
    await output.created('t9');
    expect(out.lines().map((line) => JSON.parse(line) as unknown)).toEqual([
      { outcome: { taskId: 't', status: 'failed', error: { code: -32603, message: 'disk full' } } },
      { outcome: { taskId: 't', status: 'cancelled' } },
      { taskId: 't9' },
    ]);
  });

  it('keep notices out of standard output', async () => {
    const out = capture();
    const notes: string[] = [];
    for (const verbose of [false, true]) {
      const output = jsonLineOutput({ out, note: (text) => notes.push(`${verbose} ${text}`), verbose });
      output.notice({ type: 'connected', taskId: 't', endpoint: 'http://a', after: undefined });
      output.notice({ type: 'endpoint-failed', endpoint: 'http://a', message: 'refused' });
      output.notice({ type: 'fallback-polling', taskId: 't', message: 'no tasks/stream' });
    }
    expect(out.text()).toBe('');
    const polling = 'no events from this server, only the outcome: no tasks/stream';
    expect(notes).toEqual([`false ${polling}`, 'true http://a failed: refused', `true ${polling}`]);
  });
});

function fakeSpinner(): Spinner & { readonly calls: string[] } {
  const calls: string[] = [];
  const spinner = {
    text: '',
    calls,
    ...Object.fromEntries(
      ['start', 'stop', 'clear', 'render', 'succeed', 'fail', 'warn'].map((name) => [
        name,
        (text?: string) => {
          calls.push(text === undefined ? name : `${name}: ${text}`);
          return spinner;
        },
      ]),
    ),
  };
  return spinner as unknown as Spinner & { readonly calls: string[] };
}

describe('the terminal', () => {
  function terminal(verbose: boolean) {
    const out = capture();
    const notes: string[] = [];
    const spinner = fakeSpinner();
    return { out, notes, spinner, output: terminalOutput({ out, note: (text) => notes.push(text), spinner, verbose }) };
  }

  it('shows progress on one line and the result on standard output', async () => {
    const { out, notes, spinner, output } = terminal(false);
    output.begin('t');
    await output.item(item(0, 'dev.taskstream.task.progress', { progress: 1, total: 2 }));
    expect(spinner.text).toBe('50% (1/2) · 1 event');
    await output.outcome(completed);
    expect(spinner.calls.at(-1)).toBe('succeed: Completed · 50% (1/2) · 1 event');
    expect(out.text()).toBe('all well\n');
    expect(notes).toEqual(['Task t']);
  });

  it('shows every event when verbose, without control characters', async () => {
    const { notes, output } = terminal(true);
    await output.item(item(3, 'com.example.x', { text: '\u001b[2J' }));
    expect(notes).toEqual(['3 com.example.x {"text":"\\u001b[2J"}']);
  });

  it('says how to answer a task that asks', async () => {
    const { notes, output } = terminal(false);
    await output.item(item(0, 'dev.taskstream.task.status', { status: 'input_required', inputRequests: {} }));
    expect(notes).toEqual(['The task asks: npx taskstream answer t']);
  });

  it('tells what is lost, what failed and what was cancelled', async () => {
    const { notes, spinner, output } = terminal(false);
    await output.item({ type: 'gap', from: 2, to: 5, restarted: false });
    await output.outcome(failed);
    await output.outcome(cancelled);
    await output.outcome({ ...completed, result: { content: [], isError: true } });
    expect(notes).toEqual(['Events 2 to 5 are no longer retained']);
    expect(spinner.calls.slice(-3)).toEqual([
      'fail: Failed: disk full (-32603) · 0 events',
      'warn: Cancelled · 0 events',
      'fail: The tool reports an error · 0 events',
    ]);
  });

  it('prints structured content when a result has no text', () => {
    expect(resultText({ content: [{ type: 'image' }], structuredContent: { a: 1 } })).toBe('{\n  "a": 1\n}\n');
    expect(resultText({ content: [] })).toBe('');
  });
});

describe('exit codes', () => {
  it('are those of the outcome', () => {
    expect(exitCodeOfOutcome(completed)).toBe(0);
    expect(exitCodeOfOutcome(failed)).toBe(1);
    expect(exitCodeOfOutcome({ ...completed, result: { content: [], isError: true } })).toBe(1);
    expect(exitCodeOfOutcome(cancelled)).toBe(3);
  });
});
