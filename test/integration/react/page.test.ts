/**
 * The React hooks in a real browser, on a page of another origin than the front ends: the example page against a real
 * system, with a front end that is killed, a reload, and a component that goes away.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Page, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveExample, type ServedExample } from '../../../libs/react/example/serve.js';
import { NO_CHROMIUM, sayUntried, startChromium, type TestBrowser } from '../../support/chromium.js';
import { startNats, type TestNats } from '../../support/nats.js';
import { callTask } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

const TOOLS = fileURLToPath(new URL('./page-tools.mjs', import.meta.url));
const HTML = '<img src=x onerror="window.harmed = true"><b id="planted">bold</b>\u202e';
const WAIT_MS_MAX = 30_000;

let nats: TestNats;
let browser: TestBrowser;
let example: ServedExample;
let frontEnds: FrontEnd[] = [];
let processes: TestProcess[] = [];

sayUntried('the React hooks in a browser');

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${WAIT_MS_MAX} ms: ${what}`);
    await delay(30);
  }
}

interface Streams {
  /** The cursors of the streams that were asked for. */
  readonly after: (number | undefined)[];
  open(): number;
}

/** Opens the page, and counts what it asks for. */
async function openPage(taskId: string, query: Record<string, string> = {}): Promise<{ page: Page; streams: Streams }> {
  const page = await browser.context.newPage();
  const after: (number | undefined)[] = [];
  const open = new Set<Request>();
  page.on('request', (request) => {
    const body =
      request.method() === 'POST' ? (request.postDataJSON() as { method: string; params: never }) : undefined;
    if (body?.method !== 'tasks/stream') return;
    after.push((body.params as { after?: number }).after);
    open.add(request);
  });
  page.on('requestfinished', (request) => open.delete(request));
  page.on('requestfailed', (request) => open.delete(request));
  const parameters = new URLSearchParams({ task: taskId, ...query });
  for (const { endpoint } of frontEnds) parameters.append('endpoint', endpoint);
  await page.goto(`${example.url}?${parameters}`);
  return { page, streams: { after, open: () => open.size } };
}

const seqs = (page: Page): Promise<number[]> =>
  page.locator('li[data-seq]').evaluateAll((rows) => rows.map((row) => Number(row.getAttribute('data-seq'))));
const fact = (page: Page, name: string): Promise<string | null> =>
  page.locator('article').getAttribute(`data-${name}`, { timeout: WAIT_MS_MAX });
const ended = (page: Page): Promise<void> =>
  until(async () => (await fact(page, 'connection')) === 'ended', 'the page shows the end');
const from = (first: number, length: number): number[] => Array.from({ length }, (_, i) => first + i);

describe.runIf(NO_CHROMIUM === undefined)('the example page in Chromium', () => {
  beforeAll(async () => {
    nats = await startNats();
    const [worker, ...both] = await Promise.all([
      startWorker(nats.url, { TASKSTREAM_TOOLS: TOOLS }),
      startFrontEnd(nats.url),
      startFrontEnd(nats.url),
    ]);
    frontEnds = both;
    processes = [worker, ...both];
    [browser, example] = await Promise.all([startChromium(), serveExample(0)]);
    // The first page of a browser takes its time; the tests watch tasks while they run.
    const { page } = await openPage(await callTask(frontEnds[0]!.endpoint, 'flood', { events: 1 }));
    await ended(page);
    await page.close();
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await example?.close();
    await stopAll(processes);
    await nats?.[Symbol.asyncDispose]();
  });

  test('lists events live over a front end that is killed, and renders what a task says as text', async () => {
    const taskId = await callTask(frontEnds[1]!.endpoint, 'talk', { words: 60, everyMs: 50, last: HTML });
    const { page, streams } = await openPage(taskId);
    await until(async () => (await seqs(page)).length > 10, 'events come');
    expect(await fact(page, 'connection')).toBe('live');
    expect(streams.after).toEqual([undefined]);
    frontEnds[0]!.kill('SIGKILL');
    await ended(page);
    const shown = await seqs(page);
    expect(shown).toEqual(from(0, shown.length));
    expect(shown.length).toBeGreaterThan(180);
    expect(await fact(page, 'connections')).toMatch(/^connecting live reconnecting live.* ended$/);
    expect(await fact(page, 'status')).toBe('completed');
    await until(async () => (await fact(page, 'task-status')) === 'completed', 'the task itself is told');

    const messages = await page.locator('.items .items > li').allTextContents();
    expect(messages).toHaveLength(60);
    expect(messages[7]).toContain('word 7');
    expect(messages[59]).toContain('<img src=x onerror="window.harmed = true"><b id="planted">bold</b>');
    expect(await page.content()).not.toContain('\u202e');
    expect(await page.locator('img, #planted').count()).toBe(0);
    expect(await page.evaluate('window.harmed')).toBeUndefined();
    await page.close();

    const again = await startFrontEnd(nats.url);
    processes.push(again);
    frontEnds = [again, frontEnds[1]!];
  });

  test('a reload goes on after the cursor that the browser keeps', async () => {
    const taskId = await callTask(frontEnds[0]!.endpoint, 'talk', { words: 60, everyMs: 40, last: 'end' });
    const { page, streams } = await openPage(taskId, { cursor: 'local' });
    await until(async () => (await seqs(page)).length > 20, 'events come');
    const before = await seqs(page);
    await page.reload();
    await ended(page);
    const after = await seqs(page);
    const [cursor] = streams.after.slice(1);
    expect(streams.after[0]).toBeUndefined();
    expect(cursor).toBeGreaterThanOrEqual(before.at(-1)! - 1);
    expect(after).toEqual(from(cursor! + 1, after.length));
    expect(after.at(-1)).toBeGreaterThan(180);
    await page.reload();
    await ended(page);
    expect(streams.after.at(-1)).toBe(after.at(-1));
    expect(await seqs(page)).toEqual([]);
    await page.close();
  });

  test('a component that goes away ends its request, and goes on when it comes back', async () => {
    const taskId = await callTask(frontEnds[0]!.endpoint, 'talk', { words: 200, everyMs: 40, last: 'end' });
    const { page, streams } = await openPage(taskId);
    await until(async () => (await seqs(page)).length > 5, 'events come');
    expect(streams.open()).toBe(1);
    // Strict mode mounts twice and opens one stream.
    expect(streams.after).toHaveLength(1);
    await page.getByRole('button', { name: 'Close' }).click();
    await until(async () => streams.open() === 0, 'the request is aborted');
    expect(await page.locator('article').count()).toBe(0);
    await page.getByRole('button', { name: 'Open' }).click();
    await until(async () => (await seqs(page)).length > 5, 'events come again');
    expect(streams.after).toHaveLength(2);
    await page.close();
  });

  test('a flood is shown in few renders, and only so much of it is kept', async () => {
    const events = 5_000;
    const taskId = await callTask(frontEnds[0]!.endpoint, 'flood', { events });
    const { page } = await openPage(taskId);
    await ended(page);
    const shown = await seqs(page);
    expect(shown).toHaveLength(200);
    expect(shown).toEqual(from(shown[0]!, 200));
    const total = shown.at(-1)! + 1;
    expect(total).toBeGreaterThan(events);
    await page.getByText(`${total - 200} earlier ones not shown`).waitFor();
    expect(Number(await fact(page, 'renders'))).toBeLessThan(total / 20);
    await page.close();
  });
});
