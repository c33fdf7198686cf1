import type { InputRequest } from '@taskstream/client';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../src/exit-codes.js';
import { ask } from '../src/questions/ask.js';
import { formProblems, parseForm, readField, type Field } from '../src/questions/form.js';

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string', title: 'Your name', minLength: 2 },
    mail: { type: 'string', format: 'email' },
    age: { type: 'integer', minimum: 1, maximum: 120 },
    share: { type: 'number' },
    agree: { type: 'boolean', default: false },
    size: { type: 'string', enum: ['s', 'l'], enumNames: ['Small', 'Large'] },
    colour: {
      type: 'string',
      oneOf: [
        { const: '#f00', title: 'Red' },
        { const: '#0f0', title: 'Green' },
      ],
    },
    days: { type: 'array', items: { type: 'string', enum: ['mon', 'tue', 'wed'] }, maxItems: 2 },
    other: { type: 'object' },
  },
  required: ['name', 'age'],
};

function field(name: string): Field {
  const found = parseForm(schema)?.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no field ${name}`);
  return found;
}

describe('a form', () => {
  it('says what each field expects', () => {
    expect(parseForm(schema)?.map(({ name, expects, required }) => [name, expects, required])).toEqual([
      ['name', 'text, at least 2 characters', true],
      ['mail', 'email', false],
      ['age', 'whole number, 1 to 120', true],
      ['share', 'number', false],
      ['agree', 'yes or no', false],
      ['size', 'one of the list', false],
      ['colour', 'one of the list', false],
      ['days', 'any of the list, with commas, at most 2 of them', false],
      ['other', 'JSON', false],
    ]);
  });

  it.each([
    ['name', ' Ada ', ' Ada '],
    ['mail', 'a@b.example', 'a@b.example'],
    ['mail', '', undefined],
    ['age', ' 42 ', 42],
    ['share', '-1.5e2', -150],
    ['agree', 'Y', true],
    ['agree', 'no', false],
    ['agree', '', false],
    ['size', '2', 'l'],
    ['size', 's', 's'],
    ['size', 'Large', 'l'],
    ['colour', 'Green', '#0f0'],
    ['days', '1, wed', ['mon', 'wed']],
    ['other', '{"a":1}', { a: 1 }],
  ])('%s takes %j', (name, text, value) => {
    expect(readField(field(name), text)).toEqual({ ok: true, value });
  });

  it.each([
    ['name', 'A', '>=2 characters'],
    ['name', '', 'expected text'],
    ['mail', 'nobody', 'email'],
    ['age', '', 'whole number, 1 to 120'],
    ['age', '0', '>=1'],
    ['age', '4.5', 'expected int'],
    ['age', 'forty', 'whole number'],
    ['age', '0x10', 'whole number'],
    ['agree', 'maybe', 'yes or no'],
    ['size', '3', 'one of the list'],
    ['days', 'mon,sun', 'any of the list'],
    ['days', '1,2,3', '<=2'],
    ['other', '{', 'JSON'],
    ['other', '5', 'expected object'],
  ])('%s refuses %j', (name, text, why) => {
    const read = readField(field(name), text);
    expect(read).toMatchObject({ ok: false });
    expect('why' in read && read.why).toContain(why);
  });

  it('checks a whole answer by name', () => {
    const fields = parseForm(schema) ?? [];
    expect(formProblems(fields, { name: 'Ada', age: 36, days: [] })).toEqual([]);
    expect(formProblems(fields, { name: 5, days: 'mon', shoe: 1 })).toEqual([
      expect.stringMatching(/^name: expected text, at least 2 characters, got integer/),
      'age: missing, expected whole number, 1 to 120',
      expect.stringMatching(/^days: .*got string/),
      'shoe: no such field',
    ]);
  });

  it('leaves regular expressions of others to the server that sent them', () => {
    const [slow] = parseForm({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } }) ?? [];
    const value = `${'a'.repeat(60)}!`;
    expect(slow === undefined ? undefined : readField(slow, value)).toEqual({ ok: true, value });
  });

  it('survives schemas that are none', () => {
    expect(parseForm(undefined)).toEqual([]);
    expect(parseForm([])).toBeUndefined();
    expect(parseForm({ properties: { a: 5 } })).toBeUndefined();
    const odd = parseForm({ properties: { a: { type: 7, pattern: '(' }, b: { $ref: '#/none' } } });
    expect(odd?.map((one) => readField(one, '[1]'))).toEqual([
      { ok: true, value: [1] },
      { ok: true, value: [1] },
    ]);
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, {}]));
    expect(parseForm({ properties: many })).toBeUndefined();
  });
});

/** Types the lines; the input ends after them. */
async function converse(params: Record<string, unknown>, ...typed: string[]) {
  const shown: string[] = [];
  const request: InputRequest = { method: 'elicitation/create', params };
  const answer = await ask(request, {
    say: (text) => shown.push(text),
    line: async (prompt) => {
      shown.push(prompt);
      return typed.shift();
    },
  });
  return { answer, shown: shown.join('\n') };
}

describe('asking', () => {
  const form = (...names: string[]) => ({
    message: 'Who\u001b[2J are you?',
    requestedSchema: {
      properties: Object.fromEntries(names.map((name) => [name, schema.properties[name as 'name']])),
      required: names,
    },
  });

  it('asks field by field, and again until the answer fits', async () => {
    const { answer, shown } = await converse(form('name', 'age', 'size'), 'A', 'Ada', 'old', '36', '9', '2');
    expect(answer).toEqual({ action: 'accept', content: { name: 'Ada', age: 36, size: 'l' } });
    expect(shown).toContain('Who are you?');
    expect(shown.match(/Your name \(text, at least 2 characters\): $/gm)).toHaveLength(2);
    expect(shown).toContain('age: expected whole number, 1 to 120');
    expect(shown).toContain('  2  Large');
    expect(shown).not.toContain('\u001b');
  });

  it('takes :decline and :cancel anywhere, and sends nothing when the input ends', async () => {
    expect((await converse(form('name', 'age'), 'Ada', ':decline')).answer).toEqual({ action: 'decline' });
    expect((await converse(form('name'), ' :cancel ')).answer).toEqual({ action: 'cancel' });
    expect((await converse(form('name', 'age'), 'Ada')).answer).toBeUndefined();
  });

  it('asks for a decision where there is nothing to fill in', async () => {
    const goOn = await converse({ message: 'Go on?' }, 'perhaps', 'accept');
    expect(goOn.answer).toEqual({ action: 'accept', content: {} });
    const link = { mode: 'url', message: 'Sign in', url: 'https://a.example/\u0007x' };
    const { answer, shown } = await converse(link, 'd');
    expect(answer).toEqual({ action: 'decline' });
    expect(shown).toContain('https://a.example/x');
  });

  it('refuses what no terminal can answer', async () => {
    const prompt = { say: () => undefined, line: async () => undefined };
    const sampling = ask({ method: 'sampling/createMessage', params: {} }, prompt);
    await expect(sampling).rejects.toBeInstanceOf(UsageError);
    await expect(sampling).rejects.toThrow('--json');
  });
});
