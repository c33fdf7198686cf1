/**
 * What one text file holds. Fed in chunks of any size, pure otherwise.
 *
 * Invariants: the result does not depend on where the chunks are cut; memory is bounded whatever comes (a line is
 * searched up to `LINE_CHARS_SEARCHED_MAX` and only measured beyond it); no secret is in the result, also not in
 * the text of a note.
 */
import { createDecoder, type Decoder, type Encoding } from './encoding.js';
import { languageOf, type Language } from './languages.js';
import { LICENCE_HEAD_CHARS, licenceOf, type Licence } from './licences.js';
import { createPrivateKeyFinder } from './private-keys.js';
import { findSecrets, SECRETS_PER_LINE_MAX, secretPolicyFor, type SecretKind } from './secrets.js';
import { clip } from './text.js';
import { findTodo, todoText, type TodoTag } from './todos.js';

/** How much of a line is searched, in UTF-16 units; longer lines are machine-made. */
export const LINE_CHARS_SEARCHED_MAX = 16_384;
/** How many notes and secrets of one file are shown; all are counted. */
export const TODOS_SHOWN_MAX = 5;
export const SECRETS_SHOWN_MAX = 10;
export const TODO_TEXT_CHARS_MAX = 160;

export interface Todo {
  readonly line: number;
  readonly tag: TodoTag;
  readonly text: string;
}

export interface Secret {
  readonly line: number;
  readonly kind: SecretKind;
  readonly excerpt: string;
}

export interface Analysis {
  readonly language: Language;
  readonly encoding: Encoding;
  /** Line breaks, plus one when text follows the last. */
  readonly lines: number;
  /** Its number from 1 and its length in UTF-16 units; the first of several. Null for an empty file. */
  readonly longestLine: { readonly line: number; readonly length: number } | null;
  /** How many lines were too long to be searched to their end. */
  readonly linesClipped: number;
  readonly todos: { readonly byTag: Readonly<Record<TodoTag, number>>; readonly first: ReadonlyArray<Todo> };
  readonly secrets: {
    readonly byKind: Readonly<Partial<Record<SecretKind, number>>>;
    readonly first: ReadonlyArray<Secret>;
  };
  readonly licence: Licence | null;
}

export interface Analyser {
  push(chunk: Uint8Array): void;
  end(): Analysis;
}

/** For hiding secrets in the text of a note: better one too many. */
const STRICT = { search: true, guesses: true, unquoted: true };

/** @param path the file's path, `/` between segments: it decides on language and on what is looked for */
export function createAnalyser(path: string): Analyser {
  const policy = secretPolicyFor(path);
  const keys = createPrivateKeyFinder();
  const todosByTag: Record<TodoTag, number> = { TODO: 0, FIXME: 0, HACK: 0, XXX: 0 };
  const todos: Todo[] = [];
  const secretsByKind: Partial<Record<SecretKind, number>> = {};
  const secrets: Secret[] = [];
  let decoder: Decoder | undefined;
  let head = '';
  let firstLine = '';
  let lines = 0;
  let linesClipped = 0;
  let longest: { line: number; length: number } | null = null;
  // The line that is not finished yet.
  let held = '';
  let heldLength = 0;
  let endsWithReturn = false;

  const addSecret = (secret: Secret): void => {
    secretsByKind[secret.kind] = (secretsByKind[secret.kind] ?? 0) + 1;
    if (secrets.length < SECRETS_SHOWN_MAX) secrets.push(secret);
  };

  const search = (line: string, number: number): void => {
    if (!policy.search) return;
    const key = keys.line(line, number);
    if (key !== undefined) addSecret({ line: key.line, kind: 'private-key', excerpt: key.excerpt });
    for (const f of findSecrets(line, policy)) addSecret({ line: number, kind: f.kind, excerpt: f.excerpt });
    const todo = findTodo(line);
    if (todo === undefined) return;
    todosByTag[todo.tag] += 1;
    if (todos.length < TODOS_SHOWN_MAX) {
      const text = clip(todoText(withoutSecrets(line).slice(todo.start)), TODO_TEXT_CHARS_MAX);
      todos.push({ line: number, tag: todo.tag, text });
    }
  };

  const finishLine = (): void => {
    lines += 1;
    const length = heldLength - (endsWithReturn ? 1 : 0);
    if (longest === null || length > longest.length) longest = { line: lines, length };
    if (length > LINE_CHARS_SEARCHED_MAX) linesClipped += 1;
    const line = endsWithReturn && heldLength === held.length ? held.slice(0, -1) : held;
    if (lines === 1) firstLine = line.slice(0, 200);
    search(line, lines);
    held = '';
    heldLength = 0;
    endsWithReturn = false;
  };

  const hold = (part: string): void => {
    if (part.length === 0) return;
    heldLength += part.length;
    endsWithReturn = part.endsWith('\r');
    if (held.length < LINE_CHARS_SEARCHED_MAX) held += part.slice(0, LINE_CHARS_SEARCHED_MAX - held.length);
  };

  const pushText = (text: string): void => {
    if (head.length < LICENCE_HEAD_CHARS) head += text.slice(0, LICENCE_HEAD_CHARS - head.length);
    let start = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', start)) {
      hold(text.slice(start, at));
      finishLine();
      start = at + 1;
    }
    hold(text.slice(start));
  };

  return {
    push(chunk) {
      decoder ??= createDecoder(chunk);
      pushText(decoder.decode(chunk));
    },
    end() {
      if (decoder !== undefined) pushText(decoder.end());
      if (heldLength > 0) finishLine();
      const language = languageOf(path, firstLine);
      return {
        language,
        encoding: decoder?.encoding ?? 'utf-8',
        lines,
        longestLine: longest,
        linesClipped,
        todos: { byTag: todosByTag, first: todos },
        secrets: { byKind: secretsByKind, first: secrets },
        licence: withoutSecret(licenceOf(head, language.category === 'code')),
      };
    },
  };
}

/** A tag's identifier is the file's own text too. */
function withoutSecret(licence: Licence | null): Licence | null {
  return licence !== null && findSecrets(licence.id, STRICT).length > 0 ? null : licence;
}

/** The line with every likely secret replaced by as many `*`, so that positions stay. */
function withoutSecrets(line: string): string {
  const secrets = findSecrets(line, STRICT);
  if (secrets.length >= SECRETS_PER_LINE_MAX) return '*'.repeat(line.length);
  let shown = line;
  for (const { start, end } of secrets) {
    shown = shown.slice(0, start) + '*'.repeat(end - start) + shown.slice(end);
  }
  return shown;
}

/** The analysis of a text that is there as a whole. */
export function analyseText(path: string, text: string | Uint8Array): Analysis {
  const analyser = createAnalyser(path);
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  if (bytes.length > 0) analyser.push(bytes);
  return analyser.end();
}
