import { EMPTY_TRANSCRIPT, foldTranscript } from '@taskstream/client/transcript';
import { describe, expect, it } from 'vitest';
import { transcriptOutput } from '../src/output/transcript-output.js';
import { transcriptText } from '../src/output/transcript-view.js';
import { capture } from './support.js';

function said(seq: number, type: string, payload: Record<string, unknown>, itemId: string, parentItemId?: string) {
  const identity = { attempt: 1, itemId, ...(parentItemId !== undefined && { parentItemId }) };
  return { seq, taskId: 't', type: `com.example.${type}`, payload, _meta: { 'dev.taskstream/event': identity } };
}

const events = [
  said(0, 'agent.started', { name: 'lead' }, 'a'),
  said(1, 'message.started', { role: 'assistant' }, 'm', 'a'),
  said(2, 'message.delta', { text: 'one\ntwo \u001b[2J' }, 'm'),
  said(3, 'tool.started', { name: 'grep', input: { q: 1 } }, 'c', 'm'),
  said(4, 'tool.finished', { output: 'none', isError: true }, 'c'),
  said(5, 'message.finished', {}, 'm'),
];

describe('a transcript on a terminal', () => {
  it('is one item a line, with its text below', () => {
    expect(transcriptText(foldTranscript(events))).toBe(
      [
        'agent lead (open)',
        '  message assistant',
        '    one',
        '    two',
        '    tool grep {"q":1} → "none" (error)',
        '',
      ].join('\n'),
    );
  });

  it('says what is wrong, and when there is nothing', () => {
    expect(transcriptText(EMPTY_TRANSCRIPT)).toBe('No transcript in these events\n');
    expect(transcriptText(foldTranscript(events.slice(4)))).toBe(
      'tool c → "none" (error)\nmessage m\n' +
        '! gap: Events 0 to 3 are missing\n' +
        '! not_started: The event that began the item is missing\n'.repeat(2),
    );
  });

  it('is printed when the task ends, and when the reading is left', async () => {
    const nothing = async () => undefined;
    const progress = {
      created: nothing,
      begin: () => undefined,
      item: nothing,
      notice: () => undefined,
      outcome: nothing,
      immediate: nothing,
      abandon: nothing,
    };
    for (const end of ['outcome', 'abandon'] as const) {
      const out = capture();
      const output = transcriptOutput(progress, out);
      for (const event of events) await output.item({ type: 'event', event: event as never });
      expect(out.text()).toBe('');
      await (end === 'outcome' ? output.outcome({ status: 'completed', result: { content: [] } }) : output.abandon());
      expect(out.lines()).toHaveLength(5);
    }
  });
});
