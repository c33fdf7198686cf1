/**
 * The Python client on servers with one fault each, by threads and by asyncio: the verdicts are those that the TypeScript
 * client is held to in `test/chaos/client`.
 */
import { describe, expect, it } from 'vitest';
import { tryWrongServers } from '../../chaos/client/wrong-servers.js';
import { FAULTS } from '../../conformance/streams/wrong-servers.js';
import { whyNoPython } from './python.js';

const why = whyNoPython();
if (why !== undefined) process.stderr.write(`NOT TESTED: the Python client on wrong servers, because ${why}\n`);

describe.runIf(why === undefined)('the Python client', () => {
  // Among them SEP2694-CLIENT-TRUSTS-STREAM-ONLY, SEP2694-CLIENT-TAKES-DUPLICATES and SEP2694-CLIENT-RESUMES-THERE.
  it.each(['python', 'python-asyncio'] as const)('notices and names each fault of a server: %s', async (client) => {
    const rows = await tryWrongServers(client);
    expect(rows.map(({ fault }) => fault)).toEqual([...FAULTS]);
    expect(rows.flatMap(({ fault, wrong }) => wrong.map((what) => `${fault}: ${what}`))).toEqual([]);
  });
});
