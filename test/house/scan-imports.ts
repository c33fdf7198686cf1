/**
 * Reads the imports of a TypeScript source without a TypeScript parser: a small tokenizer that knows comments,
 * strings, templates and regular expressions, and a walk over its tokens.
 *
 * Invariant: text inside a comment, a string, a template or a regular expression is never taken for code.
 */
export interface ImportRef {
  readonly specifier: string;
  readonly kind: 'static' | 'dynamic' | 're-export' | 'export-star' | 'resolve';
  readonly typeOnly: boolean;
  /** The names in braces, `default` for a default import, `*` for a namespace. */
  readonly names: readonly string[];
  readonly line: number;
}

export interface Token {
  readonly type: 'word' | 'string' | 'punct' | 'other';
  readonly text: string;
  readonly line: number;
}

/** After these a slash begins a regular expression, not a division. */
const OPERAND_FOLLOWS = new Set(
  'return typeof case in of delete void throw new else do await yield instanceof extends'.split(' '),
);
const WORD = /[A-Za-z0-9_$\u0080-\uffff]+/y;

function regexMayStart(tokens: readonly Token[]): boolean {
  const previous = tokens.at(-1);
  if (previous === undefined) return true;
  if (previous.type === 'word') return OPERAND_FOLLOWS.has(previous.text);
  if (previous.type !== 'punct') return false;
  if ('+-'.includes(previous.text) && tokens.at(-2)?.text === previous.text) return false;
  return previous.text !== ')' && previous.text !== ']' && previous.text !== '}';
}

/** The end of a quoted text that starts at `from`, behind its closing quote. */
function quotedEnd(source: string, from: number): number {
  const quote = source[from];
  let i = from + 1;
  while (i < source.length && source[i] !== quote && source[i] !== '\n') i += source[i] === '\\' ? 2 : 1;
  return i + 1;
}

function regexEnd(source: string, from: number): number {
  let inClass = false;
  let i = from + 1;
  for (; i < source.length && source[i] !== '\n'; i++) {
    const c = source[i];
    if (c === '\\') i++;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '/' && !inClass) break;
  }
  i++;
  while (i < source.length && /[a-z]/.test(source.charAt(i))) i++;
  return i;
}

/** The end of a template's text from `from` on, behind a backtick or behind `${`. */
function templateEnd(source: string, from: number): { end: number; opens: boolean } {
  let i = from;
  for (; i < source.length; i++) {
    const c = source[i];
    if (c === '\\') i++;
    else if (c === '`') return { end: i + 1, opens: false };
    else if (c === '$' && source[i + 1] === '{') return { end: i + 2, opens: true };
  }
  return { end: i, opens: false };
}

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  /** For each open template expression, the depth of braces at which it closes. */
  const templates: number[] = [];
  let depth = 0;
  let line = 1;
  let at = 0;
  const push = (type: Token['type'], end: number, text = source.slice(at, end)): void => {
    tokens.push({ type, text, line });
    for (let i = at; i < end; i++) if (source[i] === '\n') line++;
    at = end;
  };
  const skip = (end: number): void => {
    for (let i = at; i < end; i++) if (source[i] === '\n') line++;
    at = end;
  };
  const template = (from: number): void => {
    const { end, opens } = templateEnd(source, from);
    if (opens) templates.push(depth);
    push('other', end);
  };
  while (at < source.length) {
    const c = source.charAt(at);
    const next = source[at + 1];
    if (/\s/.test(c)) skip(at + 1);
    else if (c === '/' && next === '/') {
      const end = source.indexOf('\n', at);
      skip(end < 0 ? source.length : end);
    } else if (c === '/' && next === '*') {
      const end = source.indexOf('*/', at + 2);
      skip(end < 0 ? source.length : end + 2);
    } else if (c === '"' || c === "'") {
      const end = quotedEnd(source, at);
      push('string', end, source.slice(at + 1, end - 1));
    } else if (c === '`') template(at + 1);
    else if (c === '}' && templates.at(-1) === depth) {
      templates.pop();
      template(at + 1);
    } else if (c === '/' && regexMayStart(tokens)) push('other', regexEnd(source, at));
    else {
      WORD.lastIndex = at;
      const word = WORD.exec(source);
      if (word !== null) {
        push('word', at + word[0].length);
        continue;
      }
      if (c === '{') depth++;
      else if (c === '}') depth--;
      push('punct', at + 1);
    }
  }
  return tokens;
}

/** The clause of `import … from 's'` or `export … from 's'` whose keyword stands at `at`. */
function fromClause(
  tokens: readonly Token[],
  at: number,
): { specifier: string; names: string[]; typeOnly: boolean } | undefined {
  const names: string[] = [];
  let braces = 0;
  const typeOnly = tokens[at + 1]?.text === 'type' && !['from', ','].includes(tokens[at + 2]?.text ?? '');
  for (let i = at + (typeOnly ? 2 : 1); i < tokens.length; i++) {
    const token = tokens[i] as Token;
    const source = tokens[i + 1];
    if (token.type === 'word' && token.text === 'from' && source?.type === 'string' && braces === 0) {
      return { specifier: source.text, names, typeOnly };
    }
    const before = tokens[i - 1]?.text;
    if (token.text === '{') braces++;
    else if (token.text === '}') braces--;
    else if (token.text === '*') names.push('*');
    else if (token.type === 'word' || token.type === 'string') {
      const isName = before === '{' || before === ',' || before === 'type' || before === 'import';
      if (isName && token.text !== 'type' && token.text !== 'as') names.push(braces > 0 ? token.text : 'default');
    } else if (token.text !== ',') return undefined;
  }
  return undefined;
}

/** Whether the tokens from `at` on read as these texts; strings do not count as code. */
function reads(tokens: readonly Token[], at: number, texts: readonly string[]): boolean {
  return texts.every((text, n) => tokens[at + n]?.text === text && tokens[at + n]?.type !== 'string');
}

const CALLS: ReadonlyArray<{ readonly head: readonly string[]; readonly kind: ImportRef['kind'] }> = [
  { head: ['import', '('], kind: 'dynamic' },
  { head: ['require', '('], kind: 'static' },
  { head: ['import', '.', 'meta', '.', 'resolve', '('], kind: 'resolve' },
];

function importAt(tokens: readonly Token[], at: number): Omit<ImportRef, 'line'> | undefined {
  for (const { head, kind } of CALLS) {
    const argument = tokens[at + head.length];
    if (!reads(tokens, at, head)) continue;
    return argument?.type === 'string' ? { specifier: argument.text, kind, typeOnly: false, names: [] } : undefined;
  }
  const next = tokens[at + 1];
  if (tokens[at]?.text === 'import' && next?.type === 'string') {
    return { specifier: next.text, kind: 'static', typeOnly: false, names: [] };
  }
  const opens = next?.text === 'type' ? tokens[at + 2]?.text : next?.text;
  if (tokens[at]?.text === 'export' && opens !== '{' && opens !== '*') return undefined;
  const clause = fromClause(tokens, at);
  if (clause === undefined) return undefined;
  const kind = tokens[at]?.text === 'import' ? 'static' : opens === '*' ? 'export-star' : 're-export';
  return { ...clause, kind };
}

/** Every import, re-export, dynamic import, `require` and `import.meta.resolve` of a source, in order. */
export function scanImports(source: string): ImportRef[] {
  const tokens = tokenize(source);
  const found: ImportRef[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.type !== 'word' || !['import', 'export', 'require'].includes(token.text)) continue;
    if (reads(tokens, i - 1, ['.'])) continue;
    const ref = importAt(tokens, i);
    if (ref !== undefined) found.push({ ...ref, line: token.line });
  }
  return found;
}

/** The lines on which a source reads a path of properties, for example `process.env`, in any spelling. */
export function scanPaths(source: string, path: readonly [string, ...string[]]): number[] {
  const tokens = tokenize(source);
  const lines: number[] = [];
  for (const [i, token] of tokens.entries()) {
    if (!reads(tokens, i, [path[0]])) continue;
    if (reads(tokens, i - 1, ['.']) && !reads(tokens, i - 2, ['globalThis'])) continue;
    let at = i;
    const whole = path.slice(1).every((name) => {
      at += reads(tokens, at + 1, ['?', '.']) ? 2 : 0;
      if (reads(tokens, at + 1, ['.', name]) || (reads(tokens, at, ['.']) && reads(tokens, at + 1, [name]))) {
        at += reads(tokens, at + 1, ['.']) ? 2 : 1;
        return true;
      }
      const key = tokens[at + 2];
      if (!reads(tokens, at + 1, ['[']) || key?.type !== 'string' || key.text !== name) return false;
      at += 3;
      return true;
    });
    if (whole) lines.push(token.line);
  }
  return lines;
}

/** The lines of `const { name } = of`: the other way to read a property. */
export function scanDestructured(source: string, of: string, name: string): number[] {
  const tokens = tokenize(source);
  return tokens.flatMap((token, i) => {
    if (!reads(tokens, i, ['}', '=', of])) return [];
    const from = tokens.slice(0, i).findLastIndex((t) => t.type === 'punct' && t.text === '{');
    return tokens.slice(from, i).some((t) => t.text === name) ? [token.line] : [];
  });
}
