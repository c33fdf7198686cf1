/** Events as a server sends them, for the tests of the transcript. */
import type { TaskEvent } from '@taskstream/protocol';

export interface Said {
  readonly attempt?: number;
  readonly id?: string;
  readonly parent?: string;
  readonly call?: string;
  readonly agent?: string;
  readonly taskId?: string;
}

export function event(seq: number, type: string, payload: Record<string, unknown> = {}, said: Said = {}): TaskEvent {
  const taskId = said.taskId ?? 't';
  return {
    seq,
    taskId,
    type: type.startsWith('dev.') ? type : `com.example.${type}`,
    payload,
    _meta: {
      'io.modelcontextprotocol/related-task': { taskId },
      'dev.taskstream/event': {
        at: `2026-11-25T00:00:${String(seq % 60).padStart(2, '0')}.000Z`,
        attempt: said.attempt ?? 1,
        worker: 'w',
        ...(said.id !== undefined && { itemId: said.id }),
        ...(said.parent !== undefined && { parentItemId: said.parent }),
        ...(said.call !== undefined && { toolCallId: said.call }),
        ...(said.agent !== undefined && { agentId: said.agent }),
      },
    },
  };
}

/** Numbers events that were written without a seq. */
export function numbered(...said: readonly (readonly [string, Record<string, unknown>?, Said?])[]): TaskEvent[] {
  return said.map(([type, payload, who], seq) => event(seq, type, payload, who));
}

export const lines = (events: readonly unknown[]): string => events.map((e) => `${JSON.stringify(e)}\n`).join('');
