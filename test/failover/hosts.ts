/**
 * Hosts of a network of our own, on one machine: a network namespace each, tied to a bridge in one more namespace. Needs
 * root and iproute2.
 *
 * Invariants: the machine's own network is not touched; what was made is removed, also what an earlier run that was
 * killed has left; every host finds the others by name.
 */
import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';

const PREFIX = 'tsfo-';
const SUBNET = '10.77.0';
const FIRST_ADDRESS = 10;

export interface Host {
  readonly name: string;
  readonly address: string;
  /** Starts a program there. Its pid is the program's own. */
  spawn(
    command: string,
    args: readonly string[],
    options: { readonly env: Readonly<Record<string, string>>; readonly stdio: StdioOptions; readonly cwd?: string },
  ): ChildProcess;
  /** Pulls the cable, or puts it back. Nobody is told: no packet comes or goes. */
  link(up: boolean): void;
}

export interface NetworkOptions {
  /** Begins the names of its namespaces: networks of different prefixes live beside each other. */
  readonly prefix?: string;
  /** Programs are not in the terminal's process group: a Ctrl-C is for the run alone, which then ends them. */
  readonly detached?: boolean;
}

export interface Network extends Disposable {
  readonly hosts: ReadonlyMap<string, Host>;
  host(name: string): Host;
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Why no such network can be made here; undefined when it can. */
export function whyNoNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    ip('netns', 'add', `${PREFIX}probe`);
    ip('netns', 'delete', `${PREFIX}probe`);
    return undefined;
  } catch (error) {
    return `ip netns does not work here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

function removeAll(prefix: string): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const name = line.split(' ')[0] ?? '';
    if (!name.startsWith(prefix)) continue;
    ip('netns', 'delete', name);
    rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
  }
}

export function makeNetwork(names: readonly string[], options: NetworkOptions = {}): Network {
  const { prefix = PREFIX, detached = false } = options;
  const hub = `${prefix}hub`;
  removeAll(prefix);
  ip('netns', 'add', hub);
  ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge');
  ip('-n', hub, 'link', 'set', 'bridge', 'up');
  const addresses = new Map(names.map((name, i) => [name, `${SUBNET}.${FIRST_ADDRESS + i}`]));
  const table = [...addresses].map(([name, address]) => `${address} ${name}`).join('\n');
  const hosts = new Map(
    names.map((name, number) => {
      const address = addresses.get(name) as string;
      return [name, makeHost({ name, number, address, table, prefix, hub, detached })];
    }),
  );
  return {
    hosts,
    host(name) {
      const host = hosts.get(name);
      if (host === undefined) throw new Error(`no host ${name}`);
      return host;
    },
    [Symbol.dispose]: () => removeAll(prefix),
  };
}

interface Place {
  readonly name: string;
  readonly number: number;
  readonly address: string;
  /** The names of all hosts, as /etc/hosts has them. */
  readonly table: string;
  readonly prefix: string;
  readonly hub: string;
  readonly detached: boolean;
}

function makeHost({ name, number, address, table, prefix, hub, detached }: Place): Host {
  const namespace = prefix + name;
  const plug = `plug${number}`;
  ip('netns', 'add', namespace);
  ip('-n', namespace, 'link', 'set', 'lo', 'up');
  ip('-n', hub, 'link', 'add', plug, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  ip('-n', hub, 'link', 'set', plug, 'master', 'bridge', 'up');
  ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  mkdirSync(`/etc/netns/${namespace}`, { recursive: true });
  writeFileSync(`/etc/netns/${namespace}/hosts`, `127.0.0.1 localhost\n${table}\n`);
  return {
    name,
    address,
    spawn: (command, args, { env, stdio, cwd }) =>
      spawn('ip', ['netns', 'exec', namespace, command, ...args], {
        env: { PATH: process.env['PATH'], ...env },
        stdio,
        detached,
        ...(cwd !== undefined && { cwd }),
      }),
    // The far end: a host that takes its own end down would tell its programs.
    link: (up) => void ip('-n', hub, 'link', 'set', plug, up ? 'up' : 'down'),
  };
}
