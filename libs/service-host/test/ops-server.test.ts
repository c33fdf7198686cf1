import { describe, expect, it, onTestFinished } from 'vitest';
import { createReadiness } from '../src/health.js';
import { createLogger } from '../src/logger.js';
import { createMetrics } from '../src/metrics.js';
import { createOpsHandler, startOpsServer } from '../src/ops-server.js';

async function startOps() {
  const readiness = createReadiness(['nats', 'catalogue']);
  const { registry, gauge } = createMetrics({ service: 'x', processMetrics: false });
  const lines: string[] = [];
  const logger = createLogger({ name: 'x', level: 'info', destination: { write: (line) => void lines.push(line) } });
  const server = await startOpsServer(createOpsHandler({ readiness, registry, logger }), 0, '127.0.0.1');
  onTestFinished(() => server.close());
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(server.url + path, init);
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  return { readiness, gauge, get, lines, server };
}

describe('readiness', () => {
  it('is refused with reasons until every declared check passes, and again when one fails', async () => {
    const { readiness, get } = await startOps();
    expect(await get('/readyz')).toMatchObject({ status: 503 });
    readiness.pass('nats');
    expect(JSON.parse((await get('/readyz')).body)).toEqual({
      ready: false,
      reasons: { catalogue: 'not checked yet' },
    });
    readiness.pass('catalogue');
    const ready = await get('/readyz?verbose');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.body)).toEqual({ ready: true, reasons: {} });
    expect(ready.headers.get('cache-control')).toBe('no-store');
    readiness.fail('draining', 'SIGTERM');
    expect(await get('/readyz')).toMatchObject({ status: 503, body: expect.stringContaining('SIGTERM') });
  });

  it('is refused with the status that a load balancer asks for, if that is an error', async () => {
    const { readiness, get } = await startOps();
    expect(await get('/readyz?status=404')).toMatchObject({ status: 404, body: expect.stringContaining('"nats"') });
    for (const wrong of ['200', '302', '4o4', '40', '']) {
      expect((await get(`/readyz?status=${wrong}`)).status, wrong).toBe(503);
    }
    readiness.pass('nats');
    readiness.pass('catalogue');
    expect((await get('/readyz?status=404')).status).toBe(200);
  });

  it('does not touch liveness', async () => {
    const { get } = await startOps();
    expect(await get('/livez')).toMatchObject({ status: 200, body: '{"live":true}\n' });
  });
});

describe('the operations port', () => {
  it('shows the metrics', async () => {
    const { gauge, get } = await startOps();
    gauge({ name: 'open_streams', unit: 'none', help: 'Streams.' }).set(2);
    const { status, headers, body } = await get('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(body).toContain('taskstream_open_streams{service="x"} 2');
  });

  it('answers 500 and logs when a metric cannot be collected', async () => {
    const { gauge, get, lines } = await startOps();
    gauge({ name: 'broken', unit: 'none', help: 'h', collect: () => Promise.reject(new Error('collect failed')) });
    const { status, body } = await get('/metrics');
    expect(status).toBe(500);
    expect(body).not.toContain('collect failed');
    expect(lines.join('')).toContain('collect failed');
  });

  it('refuses other paths and methods', async () => {
    const { get } = await startOps();
    expect(await get('/')).toMatchObject({ status: 404, body: expect.stringContaining('/readyz') });
    expect(await get('/livez', { method: 'POST' })).toMatchObject({ status: 405 });
    expect(await get('/livez', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  it('says when its port is taken', async () => {
    const { server } = await startOps();
    await expect(startOpsServer(() => undefined, server.port, '127.0.0.1')).rejects.toThrow(
      `Cannot open the operations port ${server.port} on 127.0.0.1`,
    );
  });
});
