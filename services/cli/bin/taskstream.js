#!/usr/bin/env node
// Checked in, because npm links only a bin file that exists, and the compiled one comes after the installation.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('taskstream is not built yet: run `npm run build` first\n');
  process.exitCode = 2;
}
