/**
 * What is done to the system, one after the other: each kind of node is restarted in turn, killed, stopped, cut off.
 *
 * Invariant: a fault ends with the system as it was before, in numbers: what was broken is there again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Node } from './node.js';
import { FRONT_ENDS_RUNNING, type System } from './system.js';

export interface Fault {
  readonly name: string;
  /** Resolves when the system is whole again. */
  inflict(system: System, settle: () => Promise<void>): Promise<void>;
}

/** How long a node stays stopped or cut off: longer than a lease, and than every watchdog of the clients. */
const AWAY_MS = 8_000;

function running(nodes: readonly Node[]): Node[] {
  return nodes.filter((node) => node.running);
}

function first(nodes: readonly Node[]): Node {
  const node = running(nodes)[0];
  if (node === undefined) throw new Error('no such node is running');
  return node;
}

/** Breaks a node for a while; one that did not live through it is started again. */
export async function away(node: Node, leave: () => void, comeBack: () => void): Promise<void> {
  leave();
  try {
    await delay(AWAY_MS);
  } finally {
    comeBack();
  }
  if (!node.running) await node.start();
}

/** The first one in turn, so that the faults do not all hit the same node. */
function faultsOf(kind: string, nodesOf: (system: System) => readonly Node[]): Fault[] {
  return [
    {
      name: `${kind}: SIGKILL`,
      async inflict(system) {
        const node = first(nodesOf(system));
        node.kill('SIGKILL');
        await delay(1_000);
        await node.start();
      },
    },
    {
      name: `${kind}: SIGSTOP for ${AWAY_MS / 1000} s`,
      inflict(system) {
        const node = running(nodesOf(system))[1] ?? first(nodesOf(system));
        return away(
          node,
          () => node.kill('SIGSTOP'),
          () => node.kill('SIGCONT'),
        );
      },
    },
    {
      name: `${kind}: link down for ${AWAY_MS / 1000} s`,
      inflict(system) {
        const node = running(nodesOf(system))[2] ?? first(nodesOf(system));
        return away(
          node,
          () => node.host.link(false),
          () => node.host.link(true),
        );
      },
    },
  ];
}

/** The new ones come up before the old ones leave, so that a stream that moves moves once. */
const rollFrontEnds: Fault = {
  name: 'front ends: rolling restart, new ones first',
  async inflict(system) {
    const old = running(system.frontEnds);
    const fresh = system.frontEnds.filter((node) => !node.running).slice(0, FRONT_ENDS_RUNNING);
    await Promise.all(fresh.map((node) => node.start()));
    // The balancer asks each second.
    await delay(2_500);
    await Promise.all(old.map((node) => node.end()));
  },
};

const rollFrontEndsOneByOne: Fault = {
  name: 'front ends: rolling restart, one by one',
  async inflict(system, settle) {
    const old = running(system.frontEnds);
    for (const node of old) {
      const fresh = system.frontEnds.find((candidate) => !candidate.running);
      if (fresh === undefined) throw new Error('no place for a new front end');
      await fresh.start();
      await delay(2_500);
      await node.end();
      await settle();
    }
  },
};

function rollEach(kind: string, nodesOf: (system: System) => readonly Node[]): Fault {
  return {
    name: `${kind}: rolling restart`,
    async inflict(system, settle) {
      for (const node of nodesOf(system)) {
        await node.end();
        await node.start();
        await settle();
      }
    },
  };
}

export const FAULTS: readonly Fault[] = [
  rollFrontEnds,
  rollFrontEndsOneByOne,
  ...faultsOf('front end', (system) => system.frontEnds),
  rollEach('workers', (system) => system.workers),
  ...faultsOf('worker', (system) => system.workers),
  rollEach('NATS', (system) => system.nats),
  ...faultsOf('NATS', (system) => system.nats),
];
