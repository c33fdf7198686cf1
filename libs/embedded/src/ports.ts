/**
 * Free TCP ports on the loopback interface.
 *
 * Invariant: picked ports lie below the range from which systems take source ports, so that a server that was killed
 * finds its port free when it comes back.
 */
import getPort, { portNumbers } from 'get-port';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { LOOPBACK } from './server-config.js';

const PICK_FROM = 14_000;
const PICK_TO = 31_000;
const PICK_SPAN = 500;

/** A port that was free a moment ago and that this process has not handed out lately. */
export async function pickFreePort(): Promise<number> {
  const start = randomInt(PICK_FROM, PICK_TO);
  return getPort({ port: portNumbers(start, start + PICK_SPAN), host: LOOPBACK });
}

/** Whether nobody listens on `port` of the loopback interface, or of all interfaces. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port, LOOPBACK)) && (await canListen(port, undefined));
}

function canListen(port: number, host: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.unref();
    server.once('error', () => resolve(false));
    server.listen({ port, ...(host !== undefined && { host }), exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}

/** `preferred` when it is free, else the next free one above it; tries at most 100 ports. */
export async function nextFreePort(preferred: number): Promise<number> {
  const last = Math.min(preferred + 100, 65_535);
  for (let port = preferred; port <= last; port += 1) if (await isPortFree(port)) return port;
  return pickFreePort();
}
