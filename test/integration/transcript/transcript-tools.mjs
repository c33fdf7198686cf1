/**
 * A tool whose events are a transcript: messages in parts, tool calls, a subagent with one of its own, artifacts. What
 * belongs where is told by identity only: the parts of the two agents come mixed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';

/** [kind, payload, identity], in the order in which they are emitted. */
function script(parentTaskId) {
  const lead = { agentId: 'lead', parentTaskId };
  const helper = { agentId: 'helper', parentTaskId };
  const checker = { agentId: 'checker', parentTaskId };
  const say = (itemId, text, who) =>
    text.split(/(?<= )/).map((part) => ['message.delta', { text: part }, { ...who, itemId }]);
  const mixed = (a, b) =>
    Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]])
      .flat()
      .filter(Boolean);
  return [
    ['agent.started', { name: 'lead' }, { ...lead, itemId: 'a1' }],
    ['message.started', { role: 'assistant' }, { ...lead, itemId: 'm1', parentItemId: 'a1' }],
    ...say('m1', 'I will look at the licences of this repository. ', lead),
    [
      'tool.started',
      { name: 'list_files', input: { glob: '**/LICENSE' } },
      { ...lead, itemId: 't1', parentItemId: 'm1', toolCallId: 'call-1' },
    ],
    ['tool.finished', { output: { found: 2 } }, { ...lead, itemId: 't1', toolCallId: 'call-1' }],
    [
      'tool.started',
      { name: 'delegate', input: { to: 'helper' } },
      { ...lead, itemId: 't2', parentItemId: 'm1', toolCallId: 'call-2' },
    ],
    ['agent.started', { name: 'helper' }, { ...helper, itemId: 'a2', parentItemId: 't2', toolCallId: 'call-2' }],
    ['message.started', { role: 'assistant' }, { ...helper, itemId: 'm2', parentItemId: 'a2' }],
    ...mixed(
      say('m1', 'Meanwhile the helper reads them one by one. ', lead),
      say('m2', 'The first is Apache, the second I do not know. ', helper),
    ),
    [
      'tool.started',
      { name: 'delegate', input: { to: 'checker' } },
      { ...helper, itemId: 't3', parentItemId: 'm2', toolCallId: 'call-3' },
    ],
    ['agent.started', { name: 'checker' }, { ...checker, itemId: 'a3', parentItemId: 't3', toolCallId: 'call-3' }],
    ['message.started', { role: 'assistant' }, { ...checker, itemId: 'm3', parentItemId: 'a3' }],
    ...mixed(say('m3', 'It is the ISC licence, word for word. ', checker), say('m1', 'I wait. ', lead)),
    ['artifact.started', { name: 'diff.txt' }, { ...checker, itemId: 'f1', parentItemId: 'm3' }],
    ['artifact.delta', { text: '- a\n' }, { ...checker, itemId: 'f1' }],
    ['artifact.delta', { text: '+ b\n' }, { ...checker, itemId: 'f1' }],
    ['artifact.finished', {}, { ...checker, itemId: 'f1' }],

    ['message.finished', {}, { ...checker, itemId: 'm3' }],
    ['agent.finished', {}, { ...checker, itemId: 'a3' }],
    ['tool.finished', { output: { licence: 'ISC' } }, { ...helper, itemId: 't3', toolCallId: 'call-3' }],
    ...say('m2', 'So it is ISC.', helper),
    ['message.finished', {}, { ...helper, itemId: 'm2' }],
    ['agent.finished', {}, { ...helper, itemId: 'a2' }],
    ['tool.finished', { output: { licences: ['Apache-2.0', 'ISC'] } }, { ...lead, itemId: 't2', toolCallId: 'call-2' }],
    [
      'artifact.started',
      { name: 'report.md', mimeType: 'text/markdown' },
      { ...lead, itemId: 'f2', parentItemId: 'm1' },
    ],
    ['artifact.finished', { text: '# Licences\n' }, { ...lead, itemId: 'f2' }],
    ...say('m1', 'Two licences, both permissive.', lead),
    ['message.finished', {}, { ...lead, itemId: 'm1' }],
    ['agent.finished', {}, { ...lead, itemId: 'a1' }],
  ];
}

export default [
  defineTool({
    name: 'transcript',
    description: 'Emits the transcript of an agent with subagents',
    inputSchema: z.object({ parentTaskId: z.string(), everyMs: z.int().min(0) }),
    async run({ parentTaskId, everyMs }, task) {
      for (const [kind, payload, identity] of script(parentTaskId)) {
        await task.emit(`com.example.${kind}`, payload, identity);
        await delay(everyMs, undefined, { signal: task.signal });
      }
      return 'told';
    },
  }),
];
