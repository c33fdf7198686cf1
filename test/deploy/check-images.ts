/**
 * `npm run images:check`: every step of the Dockerfile up to the trees, the compiler included, for every image.
 *
 * What it does not show: the Debian package tini, ownership and read-only root, and that an engine reads the file.
 */
import { TARGETS } from './dockerfile.js';
import { imageTree } from './image-tree.js';

for (const target of TARGETS) {
  const startedAt = performance.now();
  const tree = await imageTree(target, { build: true });
  const files = await tree.files();
  const { code } = await tree.run(
    target === 'cli' ? ['--help'] : [`services/${target}/dist/main.js`, '--print-config'],
  );
  await tree[Symbol.asyncDispose]();
  if (code !== 0) throw new Error(`${target}: its main ended with code ${code}`);
  process.stdout.write(`${target}: ${files.length} files, ${Math.round((performance.now() - startedAt) / 1_000)} s\n`);
}
