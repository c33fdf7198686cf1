/**
 * Inflicts the planned faults, one at a time.
 *
 * Invariants: a fault ends with as many nodes as there were; the first node of each role is never ended.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { away } from '../failover/faults.js';
import type { Node } from '../failover/node.js';
import { FRONT_ENDS_RUNNING, type System } from '../failover/system.js';
import { victimOf, type Planned, type Role } from './rotation.js';

/** The balancer asks each second. */
const NOTICED_MS = 2_500;

export function nodesOf(system: System, role: Role): readonly Node[] {
  if (role === 'front end') return system.frontEnds;
  return role === 'worker' ? system.workers : system.nats;
}

/** The node of each role that lives through the run. */
export function survivorOf(system: System, role: Role): Node {
  const node = nodesOf(system, role)[0];
  if (node === undefined) throw new Error(`there is no ${role}`);
  return node;
}

export async function inflict(system: System, planned: Planned): Promise<void> {
  const { role, kind } = planned;
  const running = nodesOf(system, role).filter((node) => node.running);
  const survivor = survivorOf(system, role);
  const victim = victimOf(running, survivor, planned);
  switch (kind) {
    case 'restart':
      return restart(system, role, running, victim);
    case 'SIGKILL':
      victim.kill('SIGKILL');
      await delay(1_000);
      return victim.start();
    case 'SIGSTOP':
      return away(
        victim,
        () => victim.kill('SIGSTOP'),
        () => victim.kill('SIGCONT'),
      );
    case 'link down':
      return away(
        victim,
        () => victim.host.link(false),
        () => victim.host.link(true),
      );
  }
}

async function restart(system: System, role: Role, running: readonly Node[], victim: Node): Promise<void> {
  const survivor = survivorOf(system, role);
  const old = running.filter((node) => node !== survivor);
  if (role === 'front end') {
    // The new ones come up before the old ones leave.
    const fresh = system.frontEnds.filter((node) => !node.running).slice(0, FRONT_ENDS_RUNNING - 1);
    await Promise.all(fresh.map((node) => node.start()));
    await delay(NOTICED_MS);
    await Promise.all(old.map((node) => node.end()));
    return;
  }
  // A server in lame duck mode takes its time: one of them is enough for one fault.
  for (const node of role === 'NATS' ? [victim] : old) {
    await node.end();
    await node.start();
  }
}
