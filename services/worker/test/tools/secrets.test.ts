import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPrivateKeyFinder } from '../../src/tools/audit/private-keys.js';
import { entropyBits, looksRandom, sequenceShare, wordLengthMean } from '../../src/tools/audit/secret-likelihood.js';
import {
  findSecrets,
  SECRETS_PER_LINE_MAX,
  secretPolicyFor,
  type SecretPolicy,
} from '../../src/tools/audit/secrets.js';
import { awsKeyId, BEGIN, githubToken, HEXADECIMAL, randomText, UPPER_AND_DIGITS } from './support/tokens.js';

const ALL: SecretPolicy = { search: true, guesses: true, unquoted: true };
const QUOTED: SecretPolicy = { ...ALL, unquoted: false };

/** Every stretch of 6 characters of the secret that the text shows. */
function leaks(text: string, secret: string): string[] {
  return Array.from({ length: secret.length - 5 }, (_, i) => secret.slice(i, i + 6)).filter((part) =>
    text.includes(part),
  );
}

describe('tokens of a known form', () => {
  const r = randomText;
  it.each([
    ['aws-access-key-id', awsKeyId(), 'AKIA'],
    ['aws-access-key-id', `ASIA${r(16, 2, UPPER_AND_DIGITS)}`, 'ASIA'],
    ['github-token', githubToken(), 'ghp_'],
    ['github-token', `ghs_${r(36, 3)}`, 'ghs_'],
    ['github-token', `github_pat_${r(22)}_${r(59, 4)}`, 'github_pat_'],
    ['gitlab-token', `glpat-${r(20)}`, 'glpat-'],
    ['slack-token', `xoxb-${r(12, 5, '0123456789')}-${r(24, 6)}`, 'xoxb-'],
    [
      'slack-webhook',
      `hooks.slack.com/services/T${r(9, 7, UPPER_AND_DIGITS)}/B${r(9, 8, UPPER_AND_DIGITS)}/${r(24, 9)}`,
      'hooks.slack.com/services',
    ],
    ['google-api-key', `AIza${r(35)}`, 'AIza'],
    ['google-oauth-secret', `GOCSPX-${r(28)}`, 'GOCSPX-'],
    ['stripe-key', `sk_live_${r(24)}`, 'sk_live_'],
    ['npm-token', `npm_${r(36)}`, 'npm_'],
    ['pypi-token', `pypi-AgEI${r(70)}`, 'pypi-AgEI'],
    ['sendgrid-key', `SG.${r(22)}.${r(43, 2)}`, 'SG.'],
    ['anthropic-key', `sk-ant-api03-${r(93)}`, 'sk-ant-'],
    ['openai-key', `sk-proj-${r(40)}T3BlbkFJ${r(40, 2)}`, 'sk-'],
  ])('%s is found, whole and masked', (kind, token, prefix) => {
    const line = `  key: "${token}", // in use`;
    const [found, ...more] = findSecrets(line, ALL);
    expect(more).toEqual([]);
    expect(found?.kind).toBe(kind);
    expect(line.slice(found?.start, found?.end)).toBe(token);
    expect(found?.excerpt).toBe(`${prefix}…(${token.length} characters)`);
    expect(leaks(found?.excerpt.slice(prefix.length) ?? '', token.slice(prefix.length))).toEqual([]);
  });

  it('leaves stand-ins alone', () => {
    for (const token of [
      'AKIAIOSFODNN7EXAMPLE',
      `ghp_${'x'.repeat(36)}`,
      'ghp_0123456789abcdefghijklmnopqrstuvwxyz',
      `AIza${'A'.repeat(35)}`,
      `npm_${'1234'.repeat(9)}`,
    ]) {
      expect(findSecrets(token, ALL), token).toEqual([]);
    }
  });

  it('does not find one inside of a longer word', () => {
    expect(findSecrets(`x${awsKeyId()}`, ALL)).toEqual([]);
    expect(findSecrets(`${githubToken()}0`, ALL)).toEqual([]);
  });

  it('finds several on a line, each once', () => {
    const line = `token = "${githubToken()}" ${awsKeyId()} ${awsKeyId(2)}`;
    expect(
      findSecrets(line, ALL)
        .map((f) => f.kind)
        .toSorted(),
    ).toEqual(['aws-access-key-id', 'aws-access-key-id', 'github-token']);
  });

  it('stops at the bound of a line', () => {
    const line = Array.from({ length: SECRETS_PER_LINE_MAX + 5 }, (_, i) => awsKeyId(i + 1)).join(' ');
    expect(findSecrets(line, ALL)).toHaveLength(SECRETS_PER_LINE_MAX);
  });
});

describe('assigned secrets', () => {
  const value = randomText(28);
  it.each([
    [`const password = "${value}";`, 'password'],
    [`DB_PASSWD='${value}'`, 'DB_PASSWD'],
    [`"client_secret": "${value}",`, 'client_secret'],
    [`apiKey: \`${value}\``, 'apiKey'],
    [`config["auth_token"] = "${value}"`, 'auth_token'],
    [`:api_key => '${value}'`, 'api_key'],
    [`secretAccessKey := "${value}"`, 'secretAccessKey'],
    [`const sessionToken: string = '${value}';`, 'sessionToken'],
    [`aws.secret.key = "${value}"`, 'aws.secret.key'],
  ])('%s', (line, name) => {
    const found = findSecrets(line, QUOTED);
    expect(found.map((f) => [f.kind, f.excerpt])).toEqual([['assigned-secret', `${name} = …(28 characters)`]]);
    expect(line.slice(found[0]?.start, found[0]?.end)).toBe(value);
  });

  it('takes unquoted values where the kind of file has them', () => {
    expect(findSecrets(`API_TOKEN=${value}`, ALL).map((f) => f.excerpt)).toEqual(['API_TOKEN = …(28 characters)']);
    expect(findSecrets(`password: ${value} # prod`, ALL)).toHaveLength(1);
    expect(findSecrets(`API_TOKEN=${value}`, QUOTED)).toEqual([]);
  });

  it('takes long hexadecimal values, not short ones', () => {
    expect(findSecrets(`secret = "${randomText(40, 1, HEXADECIMAL)}"`, QUOTED)).toHaveLength(1);
    expect(findSecrets(`secret = "${randomText(16, 1, HEXADECIMAL)}"`, QUOTED)).toEqual([]);
  });

  it.each([
    `password = "changeme-1234567890"`,
    `password = "your-password-here-1"`,
    'password = "${DB_PASSWORD_2024_PROD}"',
    'password = "{{ vault.database.pw1 }}"',
    `password = process.env.DATABASE_PASSWORD_1`,
    `token = "my.access.provider.v2.name"`,
    `tokenUrl = "https://login.acme.com/oauth2/v2"`,
    `secretName = "${value}"`,
    `password_hash = "${value}"`,
    `nextPageToken = "${value}"`,
    `publicKeyToken="${value}"`,
    `password == "${value}"`,
    `password = "short1"`,
    `token = "aaaaaaaaaaaaaaaaaaaaaaa1"`,
    `token = "abcdefghijklmnop1234567"`,
    `"PasswordLastUsed": "2016-09-08T21:47:36Z"`,
    `secret = "accessTokenProviderV2Configuration"`,
    `token: string; // ${value}`,
  ])('is not: %s', (line) => {
    expect(findSecrets(line, ALL)).toEqual([]);
  });

  it('shows no token that stands where the name does', () => {
    const token = githubToken();
    const found = findSecrets(`${token}.secret = "${value}"`, ALL);
    expect(found.map((f) => f.kind)).toEqual(['github-token', 'assigned-secret']);
    expect(found.flatMap((f) => leaks(f.excerpt, token.slice(4)))).toEqual([]);
  });
});

describe('passwords in URLs', () => {
  it('are found and masked, with their place', () => {
    const line = `DATABASE_URL=postgres://app:hK8vQ2zRw1@db.acme.com:5432/app`;
    const found = findSecrets(line, ALL);
    expect(found.map((f) => [f.kind, f.excerpt])).toEqual([['url-password', 'postgres://…:…(10 characters)@…']]);
    expect(line.slice(found[0]?.start, found[0]?.end)).toBe('hK8vQ2zRw1');
  });

  it.each([
    'postgres://user:password@db.acme.com',
    'postgres://app:hK8vQ2zRw1@localhost:5432',
    'postgres://app:hK8vQ2zRw1@db.example.com',
    'postgres://app:hK8vQ2zRw1@127.0.0.1',
    'https://acme.com:8443/a@b',
    'redis://:${REDIS_PASSWORD_1}@cache.acme.com',
    'postgres://app:12345678@db.acme.com',
  ])('is not: %s', (line) => {
    expect(findSecrets(line, ALL)).toEqual([]);
  });
});

describe('private keys', () => {
  function find(text: string): unknown {
    const finder = createPrivateKeyFinder();
    return text.split('\n').flatMap((line, i) => finder.line(line, i + 1) ?? []);
  }
  const ec = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const rsa = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });

  it('finds real keys at their first line', () => {
    expect(find(`a\n${ec.privateKey}b`)).toEqual([{ line: 2, excerpt: '-----BEGIN PRIVATE KEY----- …' }]);
    expect(find(rsa.privateKey)).toEqual([{ line: 1, excerpt: '-----BEGIN RSA PRIVATE KEY----- …' }]);
    expect(find(`${ec.privateKey}\n${rsa.privateKey}`)).toHaveLength(2);
  });

  it('finds one that is written as a string with escapes', () => {
    expect(find(`"private_key": ${JSON.stringify(ec.privateKey)}`)).toHaveLength(1);
  });

  it('finds one behind its headers, and gives up after them', () => {
    const [begin = '', ...body] = rsa.privateKey.split('\n');
    const headers = ['Proc-Type: 4,ENCRYPTED', 'DEK-Info: AES-128-CBC,00', ''];
    expect(find([begin, ...headers, ...body].join('\n'))).toHaveLength(1);
    expect(find([begin, ...headers, '', '', ...body].join('\n'))).toEqual([]);
  });

  it('leaves public keys and mere mentions alone', () => {
    expect(find(rsa.publicKey)).toEqual([]);
    expect(find(`if (text.startsWith('${BEGIN} PRIVATE KEY-----')) {\n  return parse(text);\n}`)).toEqual([]);
    expect(find(`${BEGIN} PRIVATE KEY-----\nMII...\n`)).toEqual([]);
    expect(find(`${BEGIN} PRIVATE KEY-----\n${'A'.repeat(64)}\n`)).toEqual([]);
  });
});

describe('secretPolicyFor', () => {
  it('does not search what machines write', () => {
    const searched = ['package-lock.json', 'a/yarn.lock', 'go.sum', 'x.min.js', 'x.js.map', 'src/lock.ts'].filter(
      (path) => secretPolicyFor(path).search,
    );
    expect(searched).toEqual(['src/lock.ts']);
  });

  it('does not guess in tests and examples', () => {
    const guessed = [
      'test/a.ts',
      'src/__tests__/a.ts',
      'a.test.ts',
      'a_test.go',
      'test_a.py',
      'fixtures/x.json',
      '.env.example',
      'src/latest/a.ts',
      'src/attest.ts',
      '.env',
    ].filter((path) => secretPolicyFor(path).guesses);
    expect(guessed).toEqual(['src/latest/a.ts', 'src/attest.ts', '.env']);
  });

  it('knows where values stand without quotes', () => {
    const unquoted = [
      '.env',
      '.env.prod',
      'a/b.yaml',
      'app.properties',
      '.npmrc',
      'Dockerfile',
      'run.sh',
      'a.ts',
      'a.md',
    ].filter((path) => secretPolicyFor(path).unquoted);
    expect(unquoted).toEqual(['.env', '.env.prod', 'a/b.yaml', 'app.properties', '.npmrc', 'Dockerfile', 'run.sh']);
  });
});

describe('measures', () => {
  it('entropy, sequences and words', () => {
    expect(entropyBits('')).toBe(0);
    expect(entropyBits('aaaa')).toBe(0);
    expect(entropyBits('abcd')).toBe(2);
    expect(sequenceShare('a')).toBe(0);
    expect(sequenceShare('abcd')).toBe(1);
    expect(sequenceShare('adgj')).toBe(0);
    expect(wordLengthMean('accessToken')).toBe(5.5);
    expect(wordLengthMean('123')).toBe(0);
  });

  it('finds nearly all random values, at any length', () => {
    for (const length of [20, 32, 64]) {
      const hits = Array.from({ length: 200 }, (_, i) => looksRandom(randomText(length, i + 1))).filter(Boolean).length;
      expect(hits, `length ${length}`).toBeGreaterThan(180);
    }
  });
});
