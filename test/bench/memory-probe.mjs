/**
 * Loaded into a front end by the benchmark only: collects garbage and tells what is left, when it is asked.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

process.on('message', (message) => {
  if (message?.type !== 'bench:memory') return;
  gc();
  // What the first collection let go of may be freed only after a turn.
  setTimeout(() => {
    gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send({ type: 'bench:memory', rss, inUse: heapUsed + external });
  }, 100);
});
