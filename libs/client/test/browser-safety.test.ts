import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCES = join(import.meta.dirname, '../src');
const files = readdirSync(SOURCES).filter((name) => name.endsWith('.ts') && name !== 'node.ts');

/** Every module that is imported at run time. */
function imports(name: string): string[] {
  const source = readFileSync(join(SOURCES, name), 'utf8');
  const statements = source.matchAll(/^(?:import|export)\s+(?!type\b)[^;]*?from '([^']+)';$/gms);
  return [...statements].map((statement) => statement[1] ?? '');
}

describe('the browser entry', () => {
  it('has sources to check', () => {
    expect(files).toContain('index.ts');
    expect(files.length).toBeGreaterThan(15);
    expect(imports('index.ts').length).toBeGreaterThan(4);
  });

  // A schema library would be most of what a browser loads.
  it.each(files)('%s imports neither Node nor a schema library', (name) => {
    const allowed = /^(?:\.\/[a-z0-9-]+\.js|@taskstream\/protocol)$/;
    expect(imports(name).filter((module) => !allowed.test(module) || module === './node.js')).toEqual([]);
  });
});
