/**
 * Sees to it that a server that we started does not outlive us.
 *
 * Invariants: on a normal exit the hook, which is registered with the first child, ends what is left; when this
 * process is killed, the guard's input ends and the guard ends the child; a child that has ended is never signalled.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';

const children = new Set<ChildProcess>();
let hooked = false;

function killChildren(): void {
  for (const child of children) {
    child.kill('SIGCONT');
    child.kill('SIGTERM');
  }
}

/** `child` must run in a process group of its own, so that a Ctrl-C reaches us first. */
export function guardChild(child: ChildProcess): void {
  if (!hooked) {
    hooked = true;
    process.once('exit', killChildren);
  }
  children.add(child);
  const guard = process.platform === 'win32' || child.pid === undefined ? undefined : spawnGuard(child.pid);
  child.once('exit', () => {
    children.delete(child);
    guard?.kill('SIGKILL');
  });
}

/**
 * Waits in a shell until our end of its input is gone, then ends the child, after about 5 s with SIGKILL. SIGCONT
 * first: a stopped process does not see a SIGTERM.
 */
function spawnGuard(pid: number): ChildProcess {
  const script =
    'read -r _; kill -CONT "$1" && kill -TERM "$1"; ' +
    'n=0; while [ $n -lt 50 ] && kill -0 "$1"; do sleep 0.1; n=$((n + 1)); done; kill -KILL "$1"';
  const guard = spawn('/bin/sh', ['-c', script, 'taskstream-nats-guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.once('error', () => undefined);
  guard.stdin?.once('error', () => undefined);
  guard.unref();
  // The pipe alone must not keep this process alive.
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  return guard;
}
