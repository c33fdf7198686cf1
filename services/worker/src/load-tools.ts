/**
 * Finds the tools that this worker runs.
 *
 * Invariant: a module that does not give tools is refused at start with its name, not at the first call.
 */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { ServiceError } from '@taskstream/service-host';
import type { Tool } from '@taskstream/worker';
import { exampleTools } from './tools/index.js';

const CHECK_MS_MAX = 5_000;

/** @throws ServiceError when the module cannot be loaded or does not export an array of tools */
export async function loadTools(file: string | undefined, auditRoots: string[]): Promise<Tool[]> {
  if (file === undefined) return exampleTools({ auditRoots: auditRoots.map((root) => resolve(root)) });
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as { default?: unknown };
  } catch (error) {
    throw new ServiceError(
      `tools: ${file} cannot be loaded: ${error instanceof Error ? error.message : String(error)}${placeOf(error, file)}`,
      {
        cause: error,
      },
    );
  }
  const tools = module.default;
  if (!Array.isArray(tools) || tools.length === 0 || !tools.every(isTool)) {
    throw new ServiceError(`tools: ${file} must have a default export that is an array of defineTool(…)`);
  }
  return tools;
}

/** Where the syntax is wrong, when that is what is wrong. Node tells it only to those who check the file by itself. */
function placeOf(error: unknown, file: string): string {
  if (!(error instanceof SyntaxError)) return '';
  const [first = ''] = (error.stack ?? '').split('\n');
  if (first.startsWith('file:')) return ` (${first})`;
  const { stderr } = spawnSync(process.execPath, ['--check', resolve(file)], {
    encoding: 'utf8',
    timeout: CHECK_MS_MAX,
    env: {},
  });
  const place = stderr.split('\n').find((line) => /:\d+$/.test(line));
  return place === undefined ? '' : ` (${place})`;
}

function isTool(value: unknown): value is Tool {
  return typeof value === 'object' && value !== null && 'definition' in value && 'invoke' in value;
}
