/**
 * A model that says what it was told to say: for tests, and for a demonstration without a model.
 *
 * Invariant: the turn that an agent is at is the number of turns in its messages, so that a script has no state.
 */
import type { Model, ModelTurn } from './model.js';

export type Script = Readonly<Record<string, ReadonlyArray<Partial<ModelTurn>>>>;

/** `script`: the turns of each agent, by name. */
export function scriptedModel(script: Script): Model {
  return {
    turn: async ({ agent, messages, onText, signal }) => {
      signal.throwIfAborted();
      const at = messages.filter((m) => m.role === 'assistant').length;
      const turn = script[agent]?.[at];
      if (turn === undefined) throw new Error(`The script has no turn ${at + 1} for ${agent}`);
      const { text = '', toolCalls = [] } = turn;
      for (const word of text.match(/\S+\s*/g) ?? []) onText(word);
      return { text, toolCalls };
    },
  };
}

const call = (id: string, name: string, input: object) => ({ id, name, arguments: JSON.stringify(input) });

/** Shows text, a tool, a subagent and a question. */
export const DEMONSTRATION: Script = {
  lead: [
    { text: 'Let me add that up. ', toolCalls: [call('c1', 'add', { numbers: [19, 23] })] },
    {
      text: 'A helper looks at it, too. ',
      toolCalls: [call('c2', 'delegate', { name: 'checker', task: 'Is 19 + 23 = 42?' })],
    },
    { text: 'One thing only you know: ', toolCalls: [call('c3', 'ask_user', { question: 'Shall I write it down?' })] },
    { text: '19 + 23 = 42, and I have your word on what to do with it.' },
  ],
  checker: [{ text: 'Yes: 42 it is.' }],
};
