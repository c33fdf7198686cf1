/**
 * Which language a file is written in, by its name, its extension or its interpreter line.
 *
 * Invariants: the table is the only place that knows a language; a file that it does not know is `Other`, never a
 * guess from content.
 */

/** `code` is what a licence header is expected in. */
export type Category = 'code' | 'markup' | 'data' | 'prose' | 'other';

export interface Language {
  readonly name: string;
  readonly category: Category;
}

interface Row extends Language {
  readonly extensions?: ReadonlyArray<string>;
  /** Whole file names in lower case; also matched before the first dot (`Dockerfile.dev`). */
  readonly names?: ReadonlyArray<string>;
  readonly interpreters?: ReadonlyArray<string>;
}

const TABLE: ReadonlyArray<Row> = [
  { name: 'TypeScript', category: 'code', extensions: ['ts', 'tsx', 'mts', 'cts'], interpreters: ['tsx', 'deno'] },
  { name: 'JavaScript', category: 'code', extensions: ['js', 'jsx', 'mjs', 'cjs'], interpreters: ['node', 'bun'] },
  { name: 'Python', category: 'code', extensions: ['py', 'pyi', 'pyw'], interpreters: ['python', 'pypy', 'uv'] },
  { name: 'Go', category: 'code', extensions: ['go'] },
  { name: 'Rust', category: 'code', extensions: ['rs'] },
  { name: 'Java', category: 'code', extensions: ['java'] },
  { name: 'Kotlin', category: 'code', extensions: ['kt', 'kts'] },
  { name: 'Scala', category: 'code', extensions: ['scala', 'sc', 'sbt'] },
  { name: 'Groovy', category: 'code', extensions: ['groovy', 'gradle'], names: ['jenkinsfile'] },
  { name: 'Clojure', category: 'code', extensions: ['clj', 'cljs', 'cljc', 'edn'] },
  { name: 'C', category: 'code', extensions: ['c', 'h'] },
  { name: 'C++', category: 'code', extensions: ['cc', 'cpp', 'cxx', 'hh', 'hpp', 'hxx', 'ipp'] },
  { name: 'C#', category: 'code', extensions: ['cs', 'csx'] },
  { name: 'F#', category: 'code', extensions: ['fs', 'fsi', 'fsx'] },
  { name: 'Visual Basic', category: 'code', extensions: ['vb', 'bas'] },
  { name: 'Objective-C', category: 'code', extensions: ['m', 'mm'] },
  { name: 'Swift', category: 'code', extensions: ['swift'] },
  { name: 'Dart', category: 'code', extensions: ['dart'] },
  { name: 'Zig', category: 'code', extensions: ['zig'] },
  { name: 'Nim', category: 'code', extensions: ['nim'] },
  {
    name: 'Ruby',
    category: 'code',
    extensions: ['rb', 'rake', 'gemspec'],
    names: ['gemfile', 'rakefile'],
    interpreters: ['ruby'],
  },
  { name: 'PHP', category: 'code', extensions: ['php', 'phtml'], interpreters: ['php'] },
  { name: 'Perl', category: 'code', extensions: ['pl', 'pm', 't'], interpreters: ['perl'] },
  { name: 'Lua', category: 'code', extensions: ['lua'], interpreters: ['lua', 'luajit'] },
  { name: 'R', category: 'code', extensions: ['r'], interpreters: ['rscript'] },
  { name: 'Julia', category: 'code', extensions: ['jl'], interpreters: ['julia'] },
  { name: 'Haskell', category: 'code', extensions: ['hs', 'lhs'], interpreters: ['runghc', 'runhaskell'] },
  { name: 'OCaml', category: 'code', extensions: ['ml', 'mli'] },
  { name: 'Elixir', category: 'code', extensions: ['ex', 'exs'], interpreters: ['elixir'] },
  { name: 'Erlang', category: 'code', extensions: ['erl', 'hrl'], interpreters: ['escript'] },
  { name: 'Lisp', category: 'code', extensions: ['lisp', 'el', 'scm', 'rkt'] },
  {
    name: 'Shell',
    category: 'code',
    extensions: ['sh', 'bash', 'zsh', 'ksh', 'fish', 'bats'],
    interpreters: ['sh', 'bash', 'zsh', 'dash', 'ksh', 'fish'],
  },
  { name: 'PowerShell', category: 'code', extensions: ['ps1', 'psm1', 'psd1'], interpreters: ['pwsh'] },
  { name: 'Batch', category: 'code', extensions: ['bat', 'cmd'] },
  { name: 'SQL', category: 'code', extensions: ['sql'] },
  { name: 'Assembly', category: 'code', extensions: ['s', 'asm'] },
  { name: 'Solidity', category: 'code', extensions: ['sol'] },
  { name: 'Protocol Buffers', category: 'code', extensions: ['proto'] },
  { name: 'GraphQL', category: 'code', extensions: ['graphql', 'gql'] },
  { name: 'HCL', category: 'code', extensions: ['tf', 'tfvars', 'hcl'] },
  { name: 'Nix', category: 'code', extensions: ['nix'] },
  { name: 'Vue', category: 'code', extensions: ['vue'] },
  { name: 'Svelte', category: 'code', extensions: ['svelte'] },
  { name: 'Dockerfile', category: 'code', extensions: ['dockerfile'], names: ['dockerfile', 'containerfile'] },
  {
    name: 'Makefile',
    category: 'code',
    extensions: ['mk', 'mak'],
    names: ['makefile', 'gnumakefile', 'justfile'],
    interpreters: ['make'],
  },
  { name: 'CMake', category: 'code', extensions: ['cmake'], names: ['cmakelists'] },
  { name: 'CSS', category: 'markup', extensions: ['css', 'scss', 'sass', 'less', 'styl'] },
  { name: 'HTML', category: 'markup', extensions: ['html', 'htm', 'xhtml'] },
  { name: 'XML', category: 'markup', extensions: ['xml', 'xsd', 'xsl', 'xslt', 'plist', 'csproj', 'svg'] },
  {
    name: 'Template',
    category: 'markup',
    extensions: ['hbs', 'ejs', 'mustache', 'jinja', 'j2', 'tmpl', 'erb', 'liquid'],
  },
  { name: 'JSON', category: 'data', extensions: ['json', 'jsonc', 'json5', 'jsonl', 'ndjson', 'geojson', 'map'] },
  { name: 'YAML', category: 'data', extensions: ['yml', 'yaml'] },
  { name: 'TOML', category: 'data', extensions: ['toml'] },
  { name: 'INI', category: 'data', extensions: ['ini', 'cfg', 'conf', 'properties', 'env', 'editorconfig', 'npmrc'] },
  { name: 'CSV', category: 'data', extensions: ['csv', 'tsv'] },
  { name: 'Jupyter Notebook', category: 'data', extensions: ['ipynb'] },
  { name: 'Diff', category: 'data', extensions: ['diff', 'patch'] },
  { name: 'Ignore list', category: 'data', extensions: ['gitignore', 'gitattributes', 'dockerignore', 'npmignore'] },
  { name: 'Lock file', category: 'data', extensions: ['lock', 'lockfile'] },
  { name: 'Markdown', category: 'prose', extensions: ['md', 'mdx', 'markdown'] },
  { name: 'reStructuredText', category: 'prose', extensions: ['rst'] },
  { name: 'AsciiDoc', category: 'prose', extensions: ['adoc', 'asciidoc'] },
  { name: 'TeX', category: 'prose', extensions: ['tex', 'bib', 'sty'] },
  {
    name: 'Text',
    category: 'prose',
    extensions: ['txt', 'text'],
    names: ['readme', 'license', 'licence', 'copying', 'notice', 'changelog', 'authors', 'contributing', 'codeowners'],
  },
];

const OTHER: Language = { name: 'Other', category: 'other' };

/** Every language name that `languageOf` can give. */
export const LANGUAGE_NAMES: ReadonlyArray<string> = [...TABLE.map((row) => row.name), OTHER.name];

function indexBy(key: 'extensions' | 'names' | 'interpreters'): ReadonlyMap<string, Language> {
  return new Map(TABLE.flatMap((row) => (row[key] ?? []).map((value) => [value, row] as const)));
}

const BY_EXTENSION = indexBy('extensions');
const BY_NAME = indexBy('names');
const BY_INTERPRETER = indexBy('interpreters');

/** The interpreter of a `#!` line without path and version: `#!/usr/bin/env -S python3.12 -u` gives `python`. */
export function interpreterOf(firstLine: string): string | undefined {
  if (!firstLine.startsWith('#!')) return undefined;
  const words = firstLine.slice(2, 200).trim().split(/\s+/);
  const names = words.map((word) => word.slice(word.lastIndexOf('/') + 1).toLowerCase());
  const found = names[0] === 'env' ? names.slice(1).find((n) => !n.startsWith('-') && !n.includes('=')) : names[0];
  return found?.replace(/[\d.]+$/, '') || undefined;
}

/**
 * The language of a file.
 * @param path its path, `/` between segments
 * @param firstLine its first line, asked only when name and extension say nothing
 */
export function languageOf(path: string, firstLine = ''): Language {
  const base = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const dot = base.lastIndexOf('.');
  const byExtension = dot < 0 ? undefined : BY_EXTENSION.get(base.slice(dot + 1));
  const byName = BY_NAME.get(base) ?? BY_NAME.get(base.split('.', 1)[0] ?? '');
  const interpreter = interpreterOf(firstLine);
  const byInterpreter = interpreter === undefined ? undefined : BY_INTERPRETER.get(interpreter);
  // `Dockerfile.dev` has no known extension, `license.go` has one; `CMakeLists.txt` is the one name that wins.
  if (base === 'cmakelists.txt') return named(byName);
  if (base.startsWith('.env.')) return named(BY_EXTENSION.get('env'));
  return named(byExtension ?? byName ?? byInterpreter);
}

function named(row: Language | undefined): Language {
  return row === undefined ? OTHER : { name: row.name, category: row.category };
}
