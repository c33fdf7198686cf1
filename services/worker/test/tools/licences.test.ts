import { describe, expect, it } from 'vitest';
import { leadingComments, LICENCE_HEAD_CHARS, licenceOf } from '../../src/tools/audit/licences.js';

const MIT = 'Permission is hereby granted, free of charge, to any person obtaining a copy';

describe('licenceOf', () => {
  it.each([
    ['// SPDX-License-Identifier: Apache-2.0', 'Apache-2.0'],
    ['/* SPDX-License-Identifier: MIT */', 'MIT'],
    ['<!-- SPDX-License-Identifier: CC0-1.0 -->', 'CC0-1.0'],
    ['# SPDX-License-Identifier: (MIT OR Apache-2.0)', '(MIT OR Apache-2.0)'],
    [' * SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note', 'GPL-2.0-only WITH Linux-syscall-note'],
    ['// SPDX-License-Identifier: LicenseRef-own\r\n', 'LicenseRef-own'],
  ])('reads the tag of %s', (head, id) => {
    expect(licenceOf(head, false)).toEqual({ id, source: 'tag' });
  });

  it.each([
    ['# Licensed under the Apache License, Version 2.0 (the "License");', 'Apache-2.0'],
    [' Apache License\n   Version 2.0, January 2004', 'Apache-2.0'],
    [`/*\n * ${MIT.replace(' any', '\n * any')}\n */`, 'MIT'],
    ['// Licensed under the MIT License.', 'MIT'],
    ['This Source Code Form is subject to the terms of the Mozilla Public\n# License, v. 2.0.', 'MPL-2.0'],
    ['Redistribution and use in source and binary forms … Neither the name of X', 'BSD-3-Clause'],
    ['Redistribution and use in source and binary forms, with or without', 'BSD-2-Clause'],
    ['// license that can be found: governed by a BSD-style license', 'BSD-style'],
    [
      'GNU General Public License as published … either version 3, or (at your option) any later version',
      'GPL-3.0-or-later',
    ],
    ['GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991', 'GPL-2.0-only'],
    ['GNU Lesser General Public License version 2.1 … any later version', 'LGPL-2.1-or-later'],
    ['GNU Affero General Public License version 3', 'AGPL-3.0-only'],
    [
      'Permission to use, copy, modify, and/or distribute this software for any purpose … provided that the above copyright notice and this permission notice appear',
      'ISC',
    ],
    ['Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee', '0BSD'],
    ['This is free and unencumbered software released into the public domain.', 'Unlicense'],
    ['Boost Software License - Version 1.0 - August 17th, 2003', 'BSL-1.0'],
    ['Eclipse Public License - v 2.0', 'EPL-2.0'],
  ])('recognises %s', (head, id) => {
    expect(licenceOf(head, false)).toEqual({ id, source: 'text' });
  });

  it('has no answer for other text, nor for free text behind the tag', () => {
    expect(licenceOf('', false)).toBeNull();
    expect(licenceOf('license is a word', false)).toBeNull();
    expect(licenceOf('SPDX-License-Identifier: $(cat x)', false)).toBeNull();
    expect(licenceOf(`SPDX-License-Identifier: ${'x'.repeat(100)}`, false)).toBeNull();
  });

  it('looks at the head only', () => {
    expect(licenceOf(`${' '.repeat(LICENCE_HEAD_CHARS)}SPDX-License-Identifier: MIT`, false)).toBeNull();
  });

  it('counts in code only what the comments before the first statement say', () => {
    expect(licenceOf(`const text = '${MIT}';`, true)).toBeNull();
    expect(licenceOf(`const text = '${MIT}';`, false)?.id).toBe('MIT');
    expect(licenceOf(`#!/usr/bin/env node\n'use strict';\n\n// SPDX-License-Identifier: MIT\ncode();`, true)?.id).toBe(
      'MIT',
    );
  });
});

describe('leadingComments', () => {
  it.each([
    ['// a\n\n# b\ncode // c', '// a\n\n# b'],
    ['/* a\n b\n*/\ncode', '/* a\n b\n*/'],
    ['/* a */\ncode', '/* a */'],
    ['<?php\n/** a\n */\ncode', '/** a\n */'],
    ['"""a\nb\n"""\nimport x', '"""a\nb\n"""'],
    ['{- a\n-}\nmodule', '{- a\n-}'],
    ['/* never closed\ncode', '/* never closed\ncode'],
    ['code\n// a', ''],
  ])('of %j', (text, comments) => {
    expect(leadingComments(text)).toBe(comments);
  });
});
