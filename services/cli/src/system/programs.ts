/**
 * Where the programs of the two services are, and what they say when they are ready.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { SystemError } from '../exit-codes.js';

export const FrontEndReady = z.looseObject({ type: z.literal('ready'), endpoint: z.url() });
export const WorkerReady = z.looseObject({ type: z.literal('ready'), tools: z.array(z.string()) });

export interface Programs {
  /** Path of the front end's main module. */
  readonly frontEnd: string;
  /** Path of the worker's main module. */
  readonly worker: string;
}

/** The installed services. Throws `SystemError` when one is not there or not built. */
export function installedPrograms(): Programs {
  return { frontEnd: programOf('@taskstream/front-end/main'), worker: programOf('@taskstream/worker-service/main') };
}

function programOf(specifier: string): string {
  let file: string;
  try {
    file = fileURLToPath(import.meta.resolve(specifier));
  } catch (error) {
    throw new SystemError(`${specifier} is not installed; run \`npm ci\``, { cause: error });
  }
  if (!existsSync(file)) throw new SystemError(`${file} is missing; run \`npm run build\``);
  return file;
}
