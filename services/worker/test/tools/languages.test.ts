import { describe, expect, it } from 'vitest';
import { interpreterOf, LANGUAGE_NAMES, languageOf } from '../../src/tools/audit/languages.js';

describe('languageOf', () => {
  it.each([
    ['src/a.ts', 'TypeScript'],
    ['src/a.d.ts', 'TypeScript'],
    ['A.TSX', 'TypeScript'],
    ['a/b.mjs', 'JavaScript'],
    ['x.py', 'Python'],
    ['main.go', 'Go'],
    ['lib.rs', 'Rust'],
    ['k8s/base.yaml', 'YAML'],
    ['package.json', 'JSON'],
    ['Dockerfile', 'Dockerfile'],
    ['images/Dockerfile.dev', 'Dockerfile'],
    ['Makefile', 'Makefile'],
    ['CMakeLists.txt', 'CMake'],
    ['README', 'Text'],
    ['README.md', 'Markdown'],
    ['LICENSE', 'Text'],
    ['license.go', 'Go'],
    ['.env', 'INI'],
    ['.env.local', 'INI'],
    ['.gitignore', 'Ignore list'],
    ['Cargo.lock', 'Lock file'],
    ['a.unknown', 'Other'],
    ['noextension', 'Other'],
    ['dir.ts/noextension', 'Other'],
    ['', 'Other'],
  ])('%s is %s', (path, language) => {
    expect(languageOf(path).name).toBe(language);
  });

  it('asks the interpreter line only when the name says nothing', () => {
    expect(languageOf('bin/run', '#!/bin/bash').name).toBe('Shell');
    expect(languageOf('bin/run.py', '#!/bin/bash').name).toBe('Python');
    expect(languageOf('bin/run', 'echo').name).toBe('Other');
  });

  it('tells code from data and prose', () => {
    expect(['a.c', 'a.json', 'a.md', 'a.html', 'a.zzz'].map((p) => languageOf(p).category)).toEqual([
      'code',
      'data',
      'prose',
      'markup',
      'other',
    ]);
  });

  it('names every language once', () => {
    expect(new Set(LANGUAGE_NAMES).size).toBe(LANGUAGE_NAMES.length);
    expect(LANGUAGE_NAMES.length).toBeGreaterThan(40);
  });
});

describe('interpreterOf', () => {
  it.each([
    ['#!/usr/bin/env node', 'node'],
    ['#!/usr/bin/env -S python3.12 -u', 'python'],
    ['#!/usr/bin/env FOO=1 ruby', 'ruby'],
    ['#! /bin/sh -e', 'sh'],
    ['#!/usr/bin/python3\r', 'python'],
    ['#!', undefined],
    ['#!/usr/bin/env', undefined],
    ['# not one', undefined],
  ])('%s → %s', (line, interpreter) => {
    expect(interpreterOf(line)).toBe(interpreter);
  });
});
