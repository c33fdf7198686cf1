/**
 * What SEP-2694 wants to be documented, and what a client must not do with payloads.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { StoreOptions } from '@taskstream/jetstream';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url);
const retention = readFileSync(new URL('docs/retention.md', root), 'utf8');

describe('docs/retention.md', () => {
  const rows: ReadonlyArray<readonly [id: string, property: string, key: keyof StoreOptions]> = [
    ['SEP2694-DOCUMENT-AGE', 'Maximum event age', 'retentionClasses'],
    ['SEP2694-DOCUMENT-COUNT', 'Maximum events per task', 'packsPerTaskMax'],
    ['SEP2694-DOCUMENT-TERMINAL', 'Terminal retention', 'retentionSlackMs'],
    ['SEP2694-DOCUMENT-PAYLOAD', 'Payload size', 'payloadBytesMax'],
  ];

  it.each(rows)('%s: says "%s" by a key that exists', (_id, property, key) => {
    const row = retention.split('\n').find((line) => line.startsWith(`| ${property} `));
    expect(row).toContain(`\`${key}\``);
    expect(StoreOptions.parse({})).toHaveProperty(key);
  });

  it('names the defaults that the code has', () => {
    const { packsPerTaskMax, payloadBytesMax } = StoreOptions.parse({});
    expect(retention).toContain(packsPerTaskMax.toLocaleString('en'));
    expect(retention).toContain(`${payloadBytesMax / 1024} KiB`);
  });
});

// SEP2694-CLIENT-NO-EXECUTION
describe('what handles payloads in a client', () => {
  const CODE =
    /\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\(|node:vm\b|innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySetInnerHTML|setTimeout\(\s*['"`]/;
  const sourcesOf = (folder: string) => {
    const at = fileURLToPath(new URL(folder, root));
    return readdirSync(at, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(?:ts|mjs|js|html)$/.test(file))
      .map((file) => ({ file, text: readFileSync(`${at}/${file}`, 'utf8') }));
  };

  it.each(['libs/client/src', 'services/cli/src'])('%s never runs text as code', (folder) => {
    const sources = sourcesOf(folder);
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter(({ text }) => CODE.test(text)).map(({ file }) => file)).toEqual([]);
  });

  it.each(['eval (x)', 'new Function("x")', 'node.innerHTML = x', "import vm from 'node:vm'", 'setTimeout("x")'])(
    'the search finds %s',
    (text) => {
      expect(text).toMatch(CODE);
    },
  );
});
