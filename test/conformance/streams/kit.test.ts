/**
 * The kit against a server that is right, and against servers with one fault each.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CHECKS, runKit } from './suite.js';
import { parseCommandLine, UsageError, type KitOptions } from './options.js';
import { parseResponses } from './raw-connection.js';
import { failedIds, reportJson, reportText, type Report } from './report.js';
import { REQUIREMENTS, type RequirementId } from './requirements.js';
import { FAULTS, startSmallServer, type Fault } from './wrong-servers.js';

const OWNER = 'Bearer owner';
const EARLIEST = 6;
const FAILED_IDS_MAX = 5;
const RUN = fileURLToPath(new URL('./run.ts', import.meta.url));

async function reportOn(fault?: Fault, overrides: Partial<KitOptions> = {}): Promise<Report> {
  await using server = await startSmallServer(fault);
  return await runKit({
    url: server.url,
    headers: { authorization: OWNER },
    otherHeaders: { authorization: 'Bearer other' },
    finite: { name: 'count', args: { n: 12 } },
    live: { name: 'count', args: { n: 50, everyMs: 8 } },
    long: { name: 'count', args: { n: 100_000, everyMs: 8 } },
    trimmed: { taskId: server.addTrimmed(OWNER, EARLIEST), earliestSeq: EARLIEST },
    deadlineMs: fault === 'does not answer a terminal cursor' ? 2_000 : 20_000,
    ...overrides,
  });
}

/** What each fault breaks; a fault may break more than these. */
const CAUGHT_BY: Readonly<Record<Fault, readonly RequirementId[]>> = {
  'drops an event': ['SEP2694-SEQ-STEPS-BY-ONE', 'SEP2694-NO-SILENT-SKIP'],
  'repeats an event': ['SEP2694-SEQ-STEPS-BY-ONE'],
  'starts at 1': ['SEP2694-SEQ-STARTS-AT-ZERO'],
  'skips an event at the live hand-off': ['SEP2694-NO-SILENT-SKIP'],
  'forgets related-task': ['SEP2694-RELATED-TASK-PRESENT'],
  'relates events to another task': ['SEP2694-RELATED-TASK-MATCHES'],
  'skips trimmed events silently': ['SEP2694-DROPPED-IS-GONE', 'SEP2694-GAP-IS-GONE', 'SEP2694-RESUME-GONE'],
  'takes the cursor as inclusive': ['SEP2694-AFTER-EXCLUSIVE', 'SEP2694-TERMINAL-EMPTY'],
  'emits an unprefixed type': ['SEP2694-TYPE-VENDOR-PREFIX', 'SEP2694-TYPE-RESERVED'],
  'emits a type of the standard': ['SEP2694-TYPE-RESERVED'],
  'emits an array as payload': ['SEP2694-PAYLOAD-OBJECT'],
  'sends events after a terminal cursor': ['SEP2694-TERMINAL-EMPTY'],
  'does not answer a terminal cursor': ['SEP2694-TERMINAL-EMPTY'],
  'accepts what is no cursor': ['SEP2694-AFTER-INVALID-REFUSED'],
  'swaps two events': ['SEP2694-SEQ-ORDER'],
  'ends a live stream without a result': ['SEP2694-EMPTY-RESULT'],
  'ends with a result that is not empty': ['SEP2694-EMPTY-RESULT'],
  'starts with live events without a cursor': ['SEP2694-OMITTED-EARLIEST'],
  'allows a second stream on a connection': ['SEP2694-ONE-ACTIVE', 'SEP2694-SECOND-REFUSED'],
  'refuses a second stream with another code': ['SEP2694-SECOND-REFUSED'],
  'cancels the task with its stream': ['SEP2694-CANCEL-KEEPS-TASK'],
  'streams tasks of others': ['SEP2694-FOREIGN-REFUSED', 'SEP2694-BOUND-TO-OWNER', 'SEP2694-SAME-AUTHORIZATION'],
  'shows each reader another event': ['SEP2694-EVENT-IMMUTABLE'],
  'numbers progress as events': ['SEP2694-PROGRESS-NOT-EVENTS'],
  'sends events with tools/call': ['SEP2694-ONLY-ON-STREAM', 'SEP2694-ADDITIVE'],
  'tells another status than tasks/get': ['SEP2694-STATUS-CONSISTENT'],
  'names no earliest event': ['SEP2694-GONE-SHAPE', 'SEP2694-GONE-EARLIEST'],
  'numbers the events of all tasks together': ['SEP2694-SEQ-PER-TASK'],
};

describe('the kit', () => {
  it('finds nothing wrong with a server that is right', async () => {
    const report = await reportOn();
    expect(failedIds(report), reportText(report)).toEqual([]);
    const skipped = report.lines.filter((l) => l.outcome === 'SKIP').map((l) => l.requirement.id);
    // What the small server does not have.
    expect(skipped).toEqual([
      'SEP2694-ADVERTISED',
      'SEP2694-OTHER-NOTIFICATIONS',
      'SEP2694-BESIDE-SUBSCRIPTION',
      'SEP2694-PAUSE-EVENTS',
    ]);
    expect(report.counts.PASS).toBeGreaterThan(25);
  });

  it.concurrent.each(FAULTS)('catches a server that %s', { timeout: 120_000 }, async (fault) => {
    const report = await reportOn(fault);
    const failed = failedIds(report);
    expect(failed, reportText(report)).toEqual(expect.arrayContaining([...CAUGHT_BY[fault]]));
    // It is the broken rule that fails with its kin, and not everything.
    expect(failed.length, reportText(report)).toBeLessThanOrEqual(FAILED_IDS_MAX);
    expect(report.counts.PASS).toBeGreaterThan(25);
  });

  it('has a check for each requirement that shows on the wire, and no other', () => {
    const checked = new Set(CHECKS.flatMap((c) => c.ids));
    const onWire = REQUIREMENTS.filter((r) => r.shown === 'wire').map((r) => r.id);
    expect([...checked].toSorted()).toEqual(onWire.toSorted());
  });

  it('skips, with the reason, what it was given nothing for', async () => {
    const report = await reportOn(undefined, { otherHeaders: undefined, trimmed: undefined });
    const reasons = Object.fromEntries(
      report.lines.filter((l) => l.outcome === 'SKIP').map((l) => [l.requirement.id, l.findings[0]?.detail]),
    );
    expect(reasons).toMatchObject({
      'SEP2694-FOREIGN-REFUSED': 'needs --other-header',
      'SEP2694-DROPPED-IS-GONE': 'needs --trimmed-task and --earliest',
    });
    expect(failedIds(report)).toEqual([]);
  });

  it('fails everything on a server that cannot be reached, by what it tried', async () => {
    const report = await runKit({ ...parseCommandLine(['--url', 'http://127.0.0.1:1/mcp']).kit, deadlineMs: 1_000 });
    expect(report.counts.PASS).toBe(0);
    expect(reportText(report)).toContain('http://127.0.0.1:1/mcp cannot be reached');
    expect(JSON.parse(reportJson(report))).toMatchObject({ counts: { PASS: 0 } });
  });
});

describe('the command line', () => {
  it('takes tools with their arguments, headers and a trimmed task', () => {
    const text =
      '--url http://localhost:1/mcp --header authorization:a:b --other-header X-A:1 --tool-finite short --args {"a":1} ' +
      '--tool-long endless --json --trimmed-task T --earliest 9 --deadline-ms 50';
    const { kit, json } = parseCommandLine(text.split(' '));
    expect(json).toBe(true);
    expect(kit).toEqual({
      url: 'http://localhost:1/mcp',
      headers: { authorization: 'a:b' },
      otherHeaders: { 'x-a': '1' },
      finite: { name: 'short', args: { a: 1 } },
      live: { name: 'count', args: { n: 60, everyMs: 25 } },
      long: { name: 'endless', args: {} },
      trimmed: { taskId: 'T', earliestSeq: 9 },
      deadlineMs: 50,
    });
  });

  it.each([
    [['--url', 'ftp://x'], /^--url: expected/],
    [[], /^--url: expected/],
    [['--url', 'http://x', '--args', '{}'], /^--args: expected after/],
    [['--url', 'http://x', '--tool-live', 't', '--args', '[1]'], /^--args: expected a JSON object/],
    [['--url', 'http://x', '--header', 'nonsense'], /^--header: expected/],
    [['--url', 'http://x', '--earliest', '3'], /expected together/],
    [
      ['--url', 'http://x', '--trimmed-task', 'T', '--earliest', '1'],
      /^--earliest: expected a whole number of at least 2/,
    ],
    [['--url', 'http://x', '--nonsense'], /nonsense/],
  ])('refuses %j', (argv, message) => {
    expect(() => parseCommandLine(argv)).toThrow(UsageError);
    expect(() => parseCommandLine(argv)).toThrow(message);
  });
});

/** Runs the command; gives its exit code and what it printed. */
function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', RUN, ...args], { timeout: 50_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

describe('the command', () => {
  const tools = [
    ['--tool-finite', 'count', '--args', '{"n":8}'],
    ['--tool-live', 'count', '--args', '{"n":40,"everyMs":5}'],
    ['--tool-long', 'count', '--args', '{"n":100000,"everyMs":8}'],
  ].flat();

  it('ends with 0 when nothing failed', async () => {
    await using server = await startSmallServer();
    const { code, stdout, stderr } = await command('--url', server.url, ...tools);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\nPASS {2}MUST {4}SEP2694-SEQ-ORDER /);
    expect(stdout).toMatch(/\n\d+ passed, 0 failed, \d+ skipped\n$/);
  });

  it('ends with 1 when a requirement failed, and says it as JSON', async () => {
    await using server = await startSmallServer('swaps two events');
    const { code, stdout } = await command('--url', server.url, ...tools, '--json');
    expect(code).toBe(1);
    const { requirements } = JSON.parse(stdout) as { requirements: Array<{ id: string; outcome: string }> };
    expect(requirements.find((r) => r.id === 'SEP2694-SEQ-ORDER')?.outcome).toBe('FAIL');
  });

  it('ends with 2 when it was called wrongly', async () => {
    const { code, stdout, stderr } = await command('--url', 'nonsense');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--url: expected an http or https URL');
  });
});

describe('responses of a pipelined connection', () => {
  const sized = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\u00c3\u00a4ok';
  const chunked = 'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
  it('are told apart, whole', () => {
    const found = parseResponses(sized + chunked + sized).map(({ status, body, complete }) => ({
      status,
      body,
      complete,
    }));
    const first = { status: 200, body: 'äok', complete: true };
    expect(found).toEqual([first, { status: 404, body: 'abcde', complete: true }, first]);
  });

  it('and cut anywhere: what is complete stays as it is', () => {
    const text = chunked + sized;
    for (let at = 0; at < text.length; at++) {
      const found = parseResponses(text.slice(0, at));
      expect(found.filter((r) => r.complete)).toHaveLength(at >= chunked.length ? 1 : 0);
    }
  });
});
