import { describe, expect, it } from 'vitest';
import { createLogFormatter, createLogger, taskLogger } from '../src/logger.js';

function capture(): { lines: string[]; destination: { write: (line: string) => void } } {
  const lines: string[] = [];
  return { lines, destination: { write: (line) => void lines.push(line) } };
}

describe('createLogger', () => {
  it('writes one JSON line per entry, from the configured level on', () => {
    const { lines, destination } = capture();
    const logger = createLogger({ name: 'worker', level: 'warn', destination });
    logger.info('not this');
    logger.warn({ slots: 3 }, 'this');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ name: 'worker', level: 40, slots: 3, msg: 'this' });
    expect(JSON.parse(lines[0]!).time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it.each([
    { authorization: 'Bearer s3cret' },
    { headers: { authorization: 'Bearer s3cret' } },
    { headers: { Authorization: 'Bearer s3cret', cookie: 'a=s3cret' } },
    { req: { headers: { authorization: 'Bearer s3cret', 'proxy-authorization': 's3cret' } } },
    { upstream: { headers: { authorization: 'Bearer s3cret' } } },
  ])('masks credentials in %j', (entry) => {
    const { lines, destination } = capture();
    createLogger({ name: 'x', level: 'info', destination }).info(entry, 'request');
    expect(lines[0]).not.toContain('s3cret');
    expect(lines[0]).toContain('***');
  });

  it('writes text for people when told to, at once', () => {
    const { lines, destination } = capture();
    createLogger({ name: 'x', level: 'info', pretty: true, destination }).error({ port: 1 }, 'it broke');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/ERROR.*it broke/);
    expect(lines[0]).toContain('{"port":1}');
    expect(lines[0]).not.toContain('"msg"');
  });

  it('leaves a line that is no JSON as it is', () => {
    expect(createLogFormatter({ colorize: false })('plain text')).toContain('plain text');
  });
});

describe('taskLogger', () => {
  it('adds what is known of the task, and nothing else', () => {
    const { lines, destination } = capture();
    const logger = createLogger({ name: 'x', level: 'info', destination });
    taskLogger(logger, { taskId: 't1', attempt: 2, traceparent: '00-a-b-01' }).info('one');
    taskLogger(logger, { taskId: 't2' }).info('two');
    expect(JSON.parse(lines[0]!)).toMatchObject({ taskId: 't1', attempt: 2, traceparent: '00-a-b-01' });
    expect(Object.keys(JSON.parse(lines[1]!))).not.toContain('attempt');
  });
});
