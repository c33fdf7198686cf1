/**
 * A span for each stream, from its opening to its end.
 */
import type { Tracing } from '@taskstream/service-host';
import type { StreamObserver } from './stream-writer.js';

export interface StreamToTrace {
  readonly taskId: string;
  readonly after: number | undefined;
  /** Trace context of the request for the stream. */
  readonly requestTrace: string | undefined;
  /** Trace context that the task was created with. */
  readonly taskTrace: string | undefined;
}

/** Tells the observer everything, and the span what is of this stream. The observer itself when tracing is off. */
export function traceStream(tracing: Tracing, observer: StreamObserver, stream: StreamToTrace): StreamObserver {
  if (!tracing.on) return observer;
  const { taskId, after, requestTrace, taskTrace } = stream;
  const span = tracing.start({
    name: 'tasks/stream',
    kind: 'server',
    parent: requestTrace ?? taskTrace,
    link: taskTrace,
    facts: { 'mcp.method.name': 'tasks/stream', 'taskstream.task_id': taskId, 'taskstream.after': after },
  });
  let events = 0;
  let bytes = 0;
  const counts = () => ({ 'taskstream.events': events, 'taskstream.bytes': bytes });
  return {
    ...observer,
    delivered(count, size) {
      events += count;
      bytes += size;
      observer.delivered(count, size);
    },
    ended(reason) {
      span.end({ ...counts(), 'taskstream.reason': reason });
      observer.ended(reason);
    },
    failed(task, error) {
      span.end({ ...counts(), 'taskstream.reason': 'fault' }, error);
      observer.failed(task, error, taskTrace);
    },
  };
}
