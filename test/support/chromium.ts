/**
 * A real browser for tests: Debian's Chromium, driven over its own protocol.
 *
 * Invariant: where there is none, a test file says loudly what was not tried, and why.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';

const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Why there is no browser; undefined where there is one. */
export const NO_CHROMIUM = existsSync(EXECUTABLE)
  ? undefined
  : `no Chromium at ${EXECUTABLE}: install Debian's package chromium, or set CHROMIUM`;

/** Says on standard error what is not tried here. */
export function sayUntried(what: string): void {
  if (NO_CHROMIUM !== undefined) process.stderr.write(`\n!!! NOT TRIED: ${what}: ${NO_CHROMIUM}\n\n`);
}

export interface TestBrowser extends AsyncDisposable {
  readonly context: BrowserContext;
}

/** A browser with a profile of its own, gone with it. */
export async function startChromium(): Promise<TestBrowser> {
  const profile = await mkdtemp(path.join(tmpdir(), 'taskstream-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    args: FLAGS,
    viewport: { width: 1200, height: 800 },
  });
  return {
    context,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}
