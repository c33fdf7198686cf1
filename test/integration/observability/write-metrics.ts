/** Writes docs/metrics.md from running services: `npm run docs:metrics`. */
import { writeFileSync } from 'node:fs';
import { startScene } from '../front-end/scene.js';
import { renderMetrics } from './metrics-docs.js';

const DOCS = new URL('../../../docs/metrics.md', import.meta.url);
const scene = await startScene({ worker: false });
try {
  const ops = { TASKSTREAM_OPS_PORT: '0' };
  const [frontEnd, worker] = await Promise.all([scene.frontEnd(ops), scene.addWorker(ops)]);
  const scrape = async (url: unknown): Promise<string> => (await fetch(`${String(url)}/metrics`)).text();
  writeFileSync(
    DOCS,
    renderMetrics({ front_end: await scrape(frontEnd.ready['ops']), worker: await scrape(worker.ready['ops']) }),
  );
} finally {
  await scene[Symbol.asyncDispose]();
}
