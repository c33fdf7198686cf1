/**
 * Spans of one service, as its code sees them. `otlp-tracing.ts` sends them.
 *
 * Invariants: off, no tracing library is loaded and every call is a no-op; parents are given as W3C trace context,
 * never taken from the surroundings, so that no context is carried through asynchronous calls.
 */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const ZERO = /^0+$/;

export type SpanFacts = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanStart {
  readonly name: string;
  readonly kind: 'server' | 'consumer' | 'internal';
  /** W3C trace context; one that is not valid counts as absent. */
  readonly parent?: string | undefined;
  /** Another span that this one belongs to, as trace context. */
  readonly link?: string | undefined;
  readonly facts?: SpanFacts | undefined;
}

export interface TraceSpan {
  /** W3C trace context of this span; undefined when tracing is off. */
  readonly traceparent: string | undefined;
  set(facts: SpanFacts): void;
  /** A child that ends now and began `ms` milliseconds ago. */
  child(name: string, ms: number, facts?: SpanFacts, error?: unknown): void;
  /** Ends the span; later calls do nothing. */
  end(facts?: SpanFacts, error?: unknown): void;
}

export interface Tracing {
  readonly on: boolean;
  start(span: SpanStart): TraceSpan;
  /** Sends what is left, for `tracesFlushMsMax` at most. */
  stop(): Promise<void>;
}

export interface TracingConfig {
  readonly tracesUrl?: string | undefined;
  readonly tracesSampleRatio: number;
  readonly tracesQueueMax: number;
  readonly tracesFlushMsMax: number;
}

/** The parts of a W3C trace context of version 00; undefined when it is not valid. */
export function parseTraceparent(text: unknown): { traceId: string; spanId: string; traceFlags: number } | undefined {
  if (typeof text !== 'string') return undefined;
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (ZERO.test(traceId) || ZERO.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 };
}

/** The text when it is a valid W3C trace context, else undefined. */
export function traceparentFrom(text: unknown): string | undefined {
  return parseTraceparent(text) === undefined ? undefined : (text as string);
}

const NO_SPAN: TraceSpan = {
  traceparent: undefined,
  set: () => undefined,
  child: () => undefined,
  end: () => undefined,
};

export const NO_TRACING: Tracing = { on: false, start: () => NO_SPAN, stop: () => Promise.resolve() };

export interface TracingParts {
  /** As in `service.name`, after `taskstream-`. */
  readonly service: string;
  /** Tells this process from others of the service. */
  readonly instance: string;
  /** Told how many spans could not be sent and were dropped, at most once a minute. */
  readonly onFault: (error: unknown, spans: number) => void;
}

/** Off unless `tracesUrl` is set. */
export async function startTracing(config: TracingConfig, parts: TracingParts): Promise<Tracing> {
  const { tracesUrl } = config;
  if (tracesUrl === undefined) return NO_TRACING;
  const { otlpTracing } = await import('./otlp-tracing.js');
  return otlpTracing({ ...config, tracesUrl }, parts);
}
