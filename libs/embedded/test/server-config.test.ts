import { describe, expect, it } from 'vitest';
import { renderServerConfig } from '../src/server-config.js';

const base = {
  name: 'n1',
  port: 4222,
  monitorPort: 8222,
  storeDir: '/data/store',
  logFile: '/data/log',
  pidFile: '/data/pid',
};

describe('renderServerConfig', () => {
  it('listens on the loopback interface only', () => {
    const text = renderServerConfig({ ...base, cluster: { name: 'c', port: 6222, routePorts: [6222, 6223] } });
    const listeners = text.split('\n').filter((line) => /^\s*(listen|http):/.test(line));
    expect(listeners.map((line) => line.trim())).toEqual([
      'listen: "127.0.0.1:4222"',
      'http: "127.0.0.1:8222"',
      'listen: "127.0.0.1:6222"',
    ]);
    expect(text).toContain('routes: ["nats://127.0.0.1:6222", "nats://127.0.0.1:6223"]');
  });

  it('limits payloads to 1 MiB and leaves syncing to the server unless told', () => {
    const text = renderServerConfig(base);
    expect(text).toContain('max_payload: 1048576');
    expect(text).not.toContain('sync_interval');
    expect(text).not.toContain('cluster');
    const told = renderServerConfig({
      ...base,
      payloadBytesMax: 4096,
      syncInterval: 'always',
      extraConfig: 'debug: true',
    });
    expect(told).toContain('max_payload: 4096');
    expect(told).toContain('sync_interval: always');
    expect(told.endsWith('debug: true\n')).toBe(true);
  });

  it('quotes paths', () => {
    expect(renderServerConfig({ ...base, storeDir: '/with "quotes" and space' })).toContain(
      'store_dir: "/with \\"quotes\\" and space"',
    );
  });
});
