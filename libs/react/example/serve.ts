/**
 * Builds the example page and serves it on the loopback interface: `npm run example:react [-- <port>]`.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = new URL('./', import.meta.url);
const PORT = 5173;

export interface ServedExample {
  readonly url: string;
  readonly close: () => Promise<void>;
}

async function bundle(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.tsx', HERE))],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2023',
    jsx: 'automatic',
    // Strict mode mounts twice only in development.
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

/** @param port 0 takes a free one */
export async function serveExample(port: number): Promise<ServedExample> {
  const files = new Map<string, readonly [type: string, content: Uint8Array]>([
    ['/', ['text/html; charset=utf-8', await readFile(new URL('index.html', HERE))]],
    ['/page.css', ['text/css', await readFile(new URL('page.css', HERE))]],
    ['/page.js', ['text/javascript', await bundle()]],
  ]);
  const server = createServer((request, response) => {
    const file = files.get(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': file[0], 'cache-control': 'no-store' }).end(file[1]);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serveExample(Number(process.argv[2] ?? PORT));
  process.stdout.write(`${url}?task=<task id>&endpoint=http://127.0.0.1:3000/mcp\n`);
}
