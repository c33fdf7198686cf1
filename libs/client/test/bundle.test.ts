/** What a browser loads of the client: bundled, minified and compressed, with an upper bound for each entry. */
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

async function bundle(statement: string) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: statement, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    minify: true,
    splitting: true,
    outdir: 'out',
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const entry = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint !== undefined);
  const [name = '', output] = entry ?? [];
  // What is imported lazily is loaded by those who need it.
  const names = [
    name,
    ...(output?.imports ?? []).filter(({ kind }) => kind !== 'dynamic-import').map(({ path }) => path),
  ];
  const loaded = outputFiles.filter((file) => names.some((n) => file.path.endsWith(n)));
  const gzipBytes = loaded.reduce((sum, file) => sum + gzipSync(file.contents, { level: 9 }).byteLength, 0);
  const kept = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return {
    files: loaded.length,
    gzipBytes,
    inputs: kept.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path),
  };
}

const ENTRIES = [
  ['followTask', "export { followTask } from '../src/index.js';", 12_000],
  ['createTaskClient', "export { createTaskClient } from '../src/index.js';", 15_800],
] as const;

describe('the bundle for browsers', () => {
  it.each(ENTRIES)('%s stays below its bound', async (entry, statement, gzipBytesMax) => {
    const { files, gzipBytes, inputs } = await bundle(statement);
    expect(inputs.length).toBeGreaterThan(10);
    expect(files, 'a part that is loaded later imports something of the main one').toBe(1);
    expect(gzipBytes, `${entry}: ${gzipBytes} bytes gzip`).toBeLessThanOrEqual(gzipBytesMax);
    expect(gzipBytes, 'the bundle is nearly empty').toBeGreaterThan(5_000);
    expect(inputs.filter((path) => /zod|eventsource/.test(path))).toEqual([]);
  });
});
