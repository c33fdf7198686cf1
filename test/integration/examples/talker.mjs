/** Says what its first argument tells it to, as a build would. */
import { setTimeout as sleep } from 'node:timers/promises';

switch (process.argv[2]) {
  case 'build':
    for (let i = 0; i < 300; i++) {
      process.stdout.write(`line ${i} é\n`);
      if (i % 100 === 50) process.stderr.write(`warning ${i}\n`);
    }
    process.stdout.write('no line feed at the end');
    process.exitCode = 3;
    break;
  case 'turns':
    // Each stream has been read before the other one speaks.
    for (let i = 0; i < 4; i++) {
      (i % 2 === 0 ? process.stdout : process.stderr).write(`turn ${i}\n`);
      await sleep(150);
    }
    break;
  case 'long':
    process.stdout.write(`${'x'.repeat(25_000)}\n${'y'.repeat(9_000_000)}\n${'z'.repeat(9_000_000)}\n`);
    break;
  case 'hang':
    process.on('SIGTERM', () => process.stdout.write('asked to stop\n'));
    process.stdout.write(`${process.pid}\n`);
    setInterval(() => undefined, 1_000);
    break;
}
