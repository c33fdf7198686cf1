/**
 * A span for each attempt, and below it one for each try of a step and each pack that was stored.
 *
 * Invariant: a span is kept from the start of its attempt to its end, so there are as many as attempts that run.
 */
import type { StoreObserver } from '@taskstream/jetstream';
import type { TraceSpan, Tracing } from '@taskstream/service-host';
import type { WorkerObserver } from '@taskstream/worker';

export interface Observers {
  readonly worker: WorkerObserver;
  readonly store: StoreObserver;
}

/** How attempts end that did what they should. */
const WELL: ReadonlySet<string> = new Set(['completed', 'cancelled', 'handed_over', 'suspended']);

/** The observers themselves when tracing is off. */
export function traceAttempts(tracing: Tracing, { worker, store }: Observers): Observers {
  if (!tracing.on) return { worker, store };
  const spans = new Map<string, TraceSpan>();
  /** By task: an older attempt of the same task may not know yet that it is fenced. */
  const latest = new Map<string, TraceSpan>();
  const key = (fact: { taskId: string; attempt: number }) => `${fact.taskId}/${fact.attempt}`;
  return {
    worker: {
      ...worker,
      attemptStarted(fact) {
        const { taskId, attempt, tool, cause, waitMs, traceparent: parent } = fact;
        const span = tracing.start({
          name: `attempt ${tool}`,
          kind: 'consumer',
          parent,
          facts: {
            'taskstream.task_id': taskId,
            'taskstream.attempt': attempt,
            'taskstream.cause': cause,
            'taskstream.queue_wait_ms': waitMs,
            'gen_ai.tool.name': tool,
          },
        });
        spans.set(key(fact), span);
        latest.set(taskId, span);
        worker.attemptStarted(fact);
      },
      stepEnded(fact) {
        const { name, how, ms, error } = fact;
        const facts = {
          'taskstream.task_id': fact.taskId,
          'taskstream.step.name': name,
          'taskstream.step.try': fact.try,
          'taskstream.step.how': how,
        };
        spans.get(key(fact))?.child(`step ${name}`, ms, facts, error);
        worker.stepEnded(fact);
      },
      attemptEnded(fact) {
        const { taskId, how, error } = fact;
        const span = spans.get(key(fact));
        const fault = error ?? (WELL.has(how) ? undefined : `the attempt ended as ${how}`);
        span?.end({ 'taskstream.how': how }, fault);
        spans.delete(key(fact));
        if (latest.get(taskId) === span) latest.delete(taskId);
        worker.attemptEnded(fact);
      },
    },
    store: {
      ...store,
      packAppended(events, bytes, ackMs, taskId) {
        const facts = { 'taskstream.task_id': taskId, 'taskstream.events': events, 'taskstream.bytes': bytes };
        latest.get(taskId)?.child('append', ackMs, facts);
        store.packAppended(events, bytes, ackMs, taskId);
      },
    },
  };
}
