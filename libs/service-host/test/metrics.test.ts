import { describe, expect, it } from 'vitest';
import { createMetrics } from '../src/metrics.js';

describe('createMetrics', () => {
  it('names every metric with prefix and unit, and labels samples with the service', async () => {
    const metrics = createMetrics({ service: 'front-end', processMetrics: false });
    metrics
      .counter({ name: 'delivered', unit: 'bytes', help: 'Bytes written.', labels: ['era'] })
      .inc({ era: '2026' }, 7);
    metrics.counter({ name: 'resumes', unit: 'none', help: 'Streams opened with a cursor.' }).inc();
    metrics.histogram({ name: 'append', unit: 'seconds', help: 'Publish to ack.', buckets: [0.01, 1] }).observe(0.5);
    metrics.gauge({ name: 'open_streams', unit: 'none', help: 'Streams.', collect: (gauge) => gauge.set(3) });
    const text = await metrics.registry.metrics();
    expect(text).toContain('taskstream_delivered_bytes_total{era="2026",service="front-end"} 7');
    expect(text).toContain('taskstream_resumes_total{service="front-end"} 1');
    expect(text).toContain('taskstream_append_seconds_bucket{le="1",service="front-end"} 1');
    expect(text).toContain('taskstream_open_streams{service="front-end"} 3');
    expect(text).toContain('# HELP taskstream_open_streams Streams.');
  });

  it('keeps the registries of two services apart', async () => {
    const one = createMetrics({ service: 'one', processMetrics: false });
    const two = createMetrics({ service: 'two', processMetrics: false });
    one.counter({ name: 'x1', unit: 'none', help: 'x' });
    two.counter({ name: 'x1', unit: 'none', help: 'x' }).inc(5);
    expect(await one.registry.metrics()).toContain('taskstream_x1_total{service="one"} 0');
  });

  it('measures the process unless told otherwise', async () => {
    expect(await createMetrics({ service: 's' }).registry.metrics()).toContain('nodejs_eventloop_lag_seconds');
  });

  it('refuses a metric without help or with prefix, unit or suffix in its name', () => {
    const metrics = createMetrics({ service: 's', processMetrics: false });
    expect(() => metrics.counter({ name: 'x1', unit: 'none', help: ' ' })).toThrow('Metric x1 has no help text');
    for (const name of ['taskstream_x', 'x_total', 'x_seconds', 'X', 'x-y', '']) {
      expect(() => metrics.counter({ name, unit: 'seconds', help: 'h' })).toThrow(`Metric name ${name}: expected`);
    }
  });
});
