/** The rule for event types: a vendor prefix or nothing. SEP-2694 §Event Types. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVENT_TYPE_LENGTH_MAX, isVendorEventType, SystemEvent, SYSTEM_EVENT_PREFIX } from '../src/index.js';

const VENDOR = [
  'com.example.review.comment',
  'com.example.content.partial',
  'com.example.task.status',
  'dev.taskstream.task.status',
  'a.b.c',
  'com.example.Review_1.x-y',
  'x-corp.audit.file',
  'example/review',
  'example:review',
  'com.example/review.comment',
  'com.example/review/comment',
  'com.example:review:comment',
  'my_vendor/thing',
];

/** Each of these could become a standard type, or is no name at all. */
const REFUSED = [
  '',
  'status',
  'progress',
  // The SEP's own examples of what must not be emitted.
  'content.partial',
  'task.status',
  'tool.started',
  'example.review',
  'tasks.status.changed',
  'task.status.changed',
  'tool.call.started',
  'tools.call.started',
  'content.partial.text',
  'notifications.tasks.event',
  'notifications/tasks/event',
  'tasks/status',
  'task/status',
  'tool/started',
  'mcp/anything',
  'MCP.anything.else',
  'mcp:x',
  'io.modelcontextprotocol.task.status',
  'io.modelcontextprotocol/task',
  'IO.ModelContextProtocol.task.status',
  'modelcontextprotocol/task',
  '.com.example.x',
  'com..example.x',
  'com.example.',
  'com.example.x.',
  '1com.example.x',
  '-com.example.x',
  '/review',
  'example/',
  'example//review',
  'example/review/',
  'com.example.review comment',
  ' com.example.review',
  'com.example.review\n',
  'com.example.review\u0000',
  'com.exämple.review',
  'com.example.review"',
  'com.example.review*',
  'com.example.>',
];

describe('event types', () => {
  it.each(VENDOR)('accepts %j', (type) => {
    expect(isVendorEventType(type)).toBe(true);
  });

  it.each(REFUSED)('refuses %j', (type) => {
    expect(isVendorEventType(type)).toBe(false);
  });

  it('accepts each type that taskstream emits, under its own prefix', () => {
    const own = Object.values(SystemEvent);
    expect(own.length).toBeGreaterThan(0);
    for (const type of own) {
      expect(isVendorEventType(type)).toBe(true);
      expect(type.startsWith(SYSTEM_EVENT_PREFIX)).toBe(true);
    }
  });

  it('accepts the longest type and refuses one character more', () => {
    const longest = 'com.example.'.padEnd(EVENT_TYPE_LENGTH_MAX, 'x');
    expect(EVENT_TYPE_LENGTH_MAX).toBe(200);
    expect(isVendorEventType(longest)).toBe(true);
    expect(isVendorEventType(`${longest}x`)).toBe(false);
  });

  it('refuses any single word and any pair of plain words', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(isVendorEventType(a)).toBe(false);
        expect(isVendorEventType(`${a}.${b}`)).toBe(false);
      }),
    );
  });

  it('accepts any reverse-DNS name below a vendor domain', () => {
    const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
    fc.assert(
      fc.property(
        fc.constantFrom('com', 'dev', 'org'),
        fc.array(label, { minLength: 2, maxLength: 6 }),
        (tld, labels) => {
          expect(isVendorEventType([tld, ...labels].join('.'))).toBe(true);
        },
      ),
    );
  });

  it('never accepts a character that a frame, a subject or a header could trip over', () => {
    const character = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom('\n', '\r', '\0', ' ', '"', '*', '>', '%'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...VENDOR), fc.nat({ max: 40 }), character, (type, at, c) => {
        const mutant = type.slice(0, at) + c + type.slice(at);
        if (!/[A-Za-z0-9._/:-]/.test(c)) expect(isVendorEventType(mutant)).toBe(false);
        else if (isVendorEventType(mutant)) expect(mutant).toMatch(/^[A-Za-z][A-Za-z0-9._/:-]*$/);
      }),
      { numRuns: 500 },
    );
  });
});
