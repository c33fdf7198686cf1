/**
 * Spans by OpenTelemetry, sent by OTLP over HTTP.
 *
 * Invariants: what cannot be sent is dropped and told, what finds the queue full is dropped; neither holds
 * anything up; no global of OpenTelemetry is set.
 */
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
} from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import {
  parseTraceparent,
  type SpanFacts,
  type SpanStart,
  type TraceSpan,
  type Tracing,
  type TracingConfig,
  type TracingParts,
} from './tracing.js';

/** Failed exports are told at most this often. */
const FAULT_TOLD_MS = 60_000;
const BATCH_SPANS_MAX = 512;
const BATCH_MS = 1_000;
const KINDS = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL } as const;

export function otlpTracing(config: TracingConfig & { readonly tracesUrl: string }, parts: TracingParts): Tracing {
  const { tracesUrl: url, tracesQueueMax, tracesFlushMsMax } = config;
  const exporter = telling(new OTLPTraceExporter({ url, timeoutMillis: tracesFlushMsMax }), parts.onFault);
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({
      'service.name': `taskstream-${parts.service}`,
      'service.instance.id': parts.instance,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.tracesSampleRatio) }),
    spanProcessors: [
      new BatchSpanProcessor(exporter, {
        maxQueueSize: tracesQueueMax,
        maxExportBatchSize: Math.min(BATCH_SPANS_MAX, tracesQueueMax),
        scheduledDelayMillis: BATCH_MS,
        exportTimeoutMillis: tracesFlushMsMax,
      }),
    ],
  });
  const tracer = provider.getTracer('taskstream');
  const startChild: StartChild = (name, startTime, attributes, parent) =>
    tracer.startSpan(name, { startTime, attributes }, trace.setSpanContext(ROOT_CONTEXT, parent));
  return {
    on: true,
    start: ({ name, kind, parent, link, facts = {} }) => {
      const links = link === parent ? [] : contextsOf(link).map((context) => ({ context }));
      const options = { kind: KINDS[kind], attributes: attributesOf(facts), links };
      return new OtelSpan(tracer.startSpan(name, options, parentContext(parent)), startChild);
    },
    async stop() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, tracesFlushMsMax);
      });
      // What could not be sent has been told by the exporter.
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

function contextsOf(traceparent: SpanStart['parent']): SpanContext[] {
  const parsed = parseTraceparent(traceparent);
  return parsed === undefined ? [] : [{ ...parsed, isRemote: true }];
}

function parentContext(traceparent: SpanStart['parent']): Context {
  const [parent] = contextsOf(traceparent);
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

type StartChild = (name: string, startTime: number, attributes: Attributes, parent: SpanContext) => Span;

class OtelSpan implements TraceSpan {
  readonly traceparent: string;
  readonly #span: Span;
  readonly #startChild: StartChild;

  constructor(span: Span, startChild: StartChild) {
    this.#span = span;
    this.#startChild = startChild;
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  }

  set(facts: SpanFacts): void {
    if (this.#span.isRecording()) this.#span.setAttributes(attributesOf(facts));
  }

  child(name: string, ms: number, facts: SpanFacts = {}, error?: unknown): void {
    if (!this.#span.isRecording()) return;
    const endTime = Date.now();
    const child = this.#startChild(name, endTime - ms, attributesOf(facts), this.#span.spanContext());
    finish(child, error, endTime);
  }

  end(facts: SpanFacts = {}, error?: unknown): void {
    this.set(facts);
    if (this.#span.isRecording()) finish(this.#span, error);
  }
}

function finish(span: Span, error: unknown, endTime?: number): void {
  if (error !== undefined) {
    const message =
      error instanceof Error ? error.message : typeof error === 'string' ? error : 'what was thrown is no error';
    span.recordException(error instanceof Error ? error : message);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span.end(endTime);
}

function attributesOf(facts: SpanFacts): Attributes {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

/** The exporter itself, whose failures are told instead of being kept for a global logger. */
function telling(exporter: OTLPTraceExporter, onFault: (error: unknown, spans: number) => void): SpanExporter {
  let dropped = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.FAILED) {
          dropped += spans.length;
          const now = performance.now();
          if (now - toldAt >= FAULT_TOLD_MS) {
            onFault(result.error, dropped);
            toldAt = now;
            dropped = 0;
          }
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}
