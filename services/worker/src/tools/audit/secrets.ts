/**
 * Finds what looks like a secret on one line of text.
 *
 * Invariants: a finding never holds the secret, nor a part of it beyond the public prefix of its kind; every pattern
 * is linear in the line's length; a line gives at most `SECRETS_PER_LINE_MAX` findings.
 */
import { entropyBits, isPlaceholderToken, looksRandom, sequenceShare } from './secret-likelihood.js';
import { clip } from './text.js';

export const SECRET_KINDS = [
  'aws-access-key-id',
  'private-key',
  'github-token',
  'gitlab-token',
  'slack-token',
  'slack-webhook',
  'google-api-key',
  'google-oauth-secret',
  'stripe-key',
  'npm-token',
  'pypi-token',
  'sendgrid-key',
  'anthropic-key',
  'openai-key',
  'url-password',
  'assigned-secret',
] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

export interface SecretFinding {
  readonly kind: SecretKind;
  /** What was found with the secret masked, such as `ghp_…(40 characters)`. */
  readonly excerpt: string;
  /** Where on the line, in UTF-16 units, the secret itself stands. */
  readonly start: number;
  readonly end: number;
}

/** What may be looked for in a file. */
export interface SecretPolicy {
  /** Lock files, source maps and minified bundles are not searched at all. */
  readonly search: boolean;
  /** Values without a known form (assignments, passwords in URLs): not in tests, fixtures and examples. */
  readonly guesses: boolean;
  /** Unquoted values count: `.env`, YAML, INI and their like. */
  readonly unquoted: boolean;
}

/** A line that gives this many is not searched further. */
export const SECRETS_PER_LINE_MAX = 200;
const NAME_CHARS_MAX = 60;

const LOCK_FILE =
  /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|deno\.lock|cargo\.lock|poetry\.lock|uv\.lock|pdm\.lock|pipfile\.lock|composer\.lock|gemfile\.lock|go\.sum|flake\.lock|mix\.lock|podfile\.lock|pubspec\.lock|packages\.lock\.json|gradle\.lockfile|.*\.min\.(?:js|css)|.*\.map)$/;
const TEST_PATH =
  /(?:^|\/)(?:tests?|__tests__|specs?|fixtures?|__fixtures__|testdata|mocks?|__mocks__|examples?)\/|[._-](?:test|spec|mock)s?\.[a-z0-9]+$|(?:^|\/)test_[^/]*$|(?:^|[./])(?:example|sample|template|dist)$|\.(?:example|sample|template)\./;
const UNQUOTED_PATH =
  /(?:^|\/)(?:\.env[^/]*|\.npmrc|\.pypirc|\.netrc|credentials|config|[^/]*\.(?:env|ini|cfg|conf|properties|ya?ml|toml|tfvars|sh|bash|zsh)|(?:docker|container)file[^/]*)$/;

/** What to look for in the file at `path`. */
export function secretPolicyFor(path: string): SecretPolicy {
  const lower = path.toLowerCase();
  return { search: !LOCK_FILE.test(lower), guesses: !TEST_PATH.test(lower), unquoted: UNQUOTED_PATH.test(lower) };
}

/** Tokens of a known form: kind, pattern, how many characters are public prefix. */
const TOKENS: ReadonlyArray<readonly [SecretKind, RegExp, number]> = [
  ['aws-access-key-id', /(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9/+=])/g, 4],
  ['github-token', /(?<![A-Za-z0-9_])gh[pousr]_[A-Za-z0-9]{36}(?![A-Za-z0-9_])/g, 4],
  ['github-token', /(?<![A-Za-z0-9_])github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}(?![A-Za-z0-9_])/g, 11],
  ['gitlab-token', /(?<![A-Za-z0-9_-])glpat-[A-Za-z0-9_-]{20}(?![A-Za-z0-9_-])/g, 6],
  ['slack-token', /(?<![A-Za-z0-9_-])xox[abeoprs]-[A-Za-z0-9-]{20,250}(?![A-Za-z0-9-])/g, 5],
  ['slack-webhook', /hooks\.slack\.com\/services\/T[A-Z0-9]{7,12}\/B[A-Z0-9]{7,12}\/[A-Za-z0-9]{20,30}/g, 24],
  ['google-api-key', /(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/g, 4],
  ['google-oauth-secret', /(?<![A-Za-z0-9_-])GOCSPX-[A-Za-z0-9_-]{28}(?![A-Za-z0-9_-])/g, 7],
  ['stripe-key', /(?<![A-Za-z0-9_])[rs]k_live_[A-Za-z0-9]{24,120}(?![A-Za-z0-9])/g, 8],
  ['npm-token', /(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])/g, 4],
  ['pypi-token', /(?<![A-Za-z0-9_-])pypi-AgEI[A-Za-z0-9_-]{60,250}/g, 9],
  ['sendgrid-key', /(?<![A-Za-z0-9_.-])SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g, 3],
  ['anthropic-key', /(?<![A-Za-z0-9_-])sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{80,120}(?![A-Za-z0-9_-])/g, 7],
  ['openai-key', /(?<![A-Za-z0-9_-])sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,74}T3BlbkFJ[A-Za-z0-9_-]{20,74}/g, 3],
];
/** One pass over the line tells whether any of the above can be on it. */
const TOKEN_HINT =
  /AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|hooks\.slack|AIza|GOCSPX-|k_live_|npm_|pypi-|SG\.|sk-/;

const URL_PASSWORD = /[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"'`<>]{1,80}:([^\s:/@"'`<>]{8,200})@([A-Za-z0-9.-]{1,200})/gi;
const LOCAL_HOST =
  /^(?:localhost|127\.|0\.0\.0\.0|host\.docker\.internal$)|(?:^|\.)(?:example|test|invalid|localhost)(?:\.[a-z]+)?$/i;

/** The part of a name that promises a secret. */
const NAME_HINT =
  /passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|credential/gi;
/** Names that speak about a secret without holding it: `tokenUrl`, `secret_name`, `password_hash`. */
const NAME_ABOUT =
  /(?:url|uri|path|file|dir|name|type|kind|id|ids|field|label|header|endpoint|placeholder|regex|pattern|prefix|length|size|ttl|hash|digest|count|max|min|address|arn|ref)$/i;
/** Tokens that only name a position, a request or a public thing. */
const NAME_HARMLESS =
  /(?:public[_-]?key|request|continuation|page|pagination|next|change|idempotency|sync|action|cancel(?:l?ation)?)[_-]?token$|^public[_-]?key|Used$/i;
const AFTER_NAME =
  /([A-Za-z0-9_.-]{0,30})["'`]?\]?(?:[ \t]{0,4}:[ \t]{0,4}(?:string|str)\b)?[ \t]{0,8}(?::=|=>|=(?![=~>])|:(?!:))[ \t]{0,8}(?:(["'`])([^\s"'`\\]{16,256})\2|([^\s"'`#;,\\]{16,256})(?=[\s#;,]|$))/y;

/** @param line one line without its line break */
export function findSecrets(line: string, policy: SecretPolicy): SecretFinding[] {
  if (!policy.search) return [];
  const found: SecretFinding[] = [];
  if (TOKEN_HINT.test(line)) findTokens(line, found);
  if (policy.guesses) {
    if (line.includes('://')) findUrlPasswords(line, found);
    findAssignments(line, policy, found);
  }
  return found;
}

function findTokens(line: string, found: SecretFinding[]): void {
  for (const [kind, pattern, prefix] of TOKENS) {
    for (const match of line.matchAll(pattern)) {
      const token = match[0];
      if (isPlaceholderToken(token.slice(prefix))) continue;
      const excerpt = `${token.slice(0, prefix)}${masked(token)}`;
      add(found, { kind, excerpt, start: match.index, end: match.index + token.length });
    }
  }
}

function findUrlPasswords(line: string, found: SecretFinding[]): void {
  for (const match of line.matchAll(URL_PASSWORD)) {
    const [whole, password = '', host = ''] = match;
    if (LOCAL_HOST.test(host) || !looksLikePassword(password)) continue;
    const start = match.index + whole.lastIndexOf(`${password}@`);
    const scheme = whole.slice(0, whole.indexOf(':')).toLowerCase();
    add(found, {
      kind: 'url-password',
      excerpt: `${scheme}://…:${masked(password)}@…`,
      start,
      end: start + password.length,
    });
  }
}

/** Passwords in URLs are shorter than tokens: 8 characters, not all of one class, and no stand-in. */
function looksLikePassword(value: string): boolean {
  if (/^[${<%*]|[{}[\]]|pass|secret|example|user|admin|root|change|your|xxx|test/i.test(value)) return false;
  return /\d/.test(value) && /[A-Za-z]/.test(value) && entropyBits(value) >= 2.5 && sequenceShare(value) <= 0.4;
}

function findAssignments(line: string, policy: SecretPolicy, found: SecretFinding[]): void {
  NAME_HINT.lastIndex = 0;
  for (let hint = NAME_HINT.exec(line); hint !== null; hint = NAME_HINT.exec(line)) {
    const hintEnd = hint.index + hint[0].length;
    AFTER_NAME.lastIndex = hintEnd;
    const after = AFTER_NAME.exec(line);
    if (after === null) continue;
    const value = after[3] ?? (policy.unquoted ? after[4] : undefined);
    if (value === undefined) continue;
    const name = `${nameBefore(line, hint.index)}${hint[0]}${after[1] ?? ''}`;
    const end = AFTER_NAME.lastIndex - (after[3] === undefined ? 0 : 1);
    if (holdsSecret(name) && looksRandom(value)) {
      // What looks like a part of the name may be a token that was found already.
      const nameStart = hintEnd + (after[1] ?? '').length - name.length;
      const clean = !found.some((f) => f.start < hintEnd && nameStart < f.end);
      const excerpt = `${clean ? clip(name, NAME_CHARS_MAX) : hint[0]} = ${masked(value)}`;
      add(found, { kind: 'assigned-secret', excerpt, start: end - value.length, end });
    }
    NAME_HINT.lastIndex = end;
  }
}

function holdsSecret(name: string): boolean {
  return !NAME_ABOUT.test(name) && !NAME_HARMLESS.test(name);
}

/** The characters of an identifier that stand before `end`. */
function nameBefore(line: string, end: number): string {
  let start = end;
  while (start > 0 && end - start < NAME_CHARS_MAX && /[A-Za-z0-9_.-]/.test(line.charAt(start - 1))) start -= 1;
  return line.slice(start, end);
}

function masked(secret: string): string {
  return `…(${secret.length} characters)`;
}

/** A place on the line is reported once, under the kind that is known best. */
function add(found: SecretFinding[], finding: SecretFinding): void {
  if (found.length >= SECRETS_PER_LINE_MAX) return;
  const overlaps = found.some((f) => f.start < finding.end && finding.start < f.end);
  if (!overlaps) found.push(finding);
}
