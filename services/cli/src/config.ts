/**
 * What the command line takes from the environment. The only place where this service reads it.
 */
import { ENV_PREFIX } from '@taskstream/service-host';

export const DEFAULT_URL = 'http://127.0.0.1:3000/mcp';
const URL_ENV = 'TASKSTREAM_URL';

export interface CliConfig {
  /** MCP endpoints when no `--url` is given: `TASKSTREAM_URL` (comma-separated), else the first port of `up`. */
  readonly urls: readonly string[];
  /** `NATS_URL`, or `TASKSTREAM_NATS_URL`: a server to use instead of starting one. */
  readonly natsUrl: string | undefined;
  /** `NATS_SERVER`: path of a nats-server binary. */
  readonly natsServerPath: string | undefined;
  /** `PATH`. */
  readonly path: string | undefined;
  /** The environment for the services: everything but what only this program understands. */
  readonly serviceEnvironment: Readonly<Record<string, string>>;
}

export function readCliConfig(env: Readonly<Record<string, string | undefined>> = process.env): CliConfig {
  const given = (name: string): string | undefined => {
    const value = env[name]?.trim();
    return value === '' ? undefined : value;
  };
  const urls = (given(URL_ENV) ?? DEFAULT_URL)
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '');
  return {
    urls,
    natsUrl: given('NATS_URL') ?? given(`${ENV_PREFIX}NATS_URL`),
    natsServerPath: given('NATS_SERVER'),
    path: given('PATH'),
    serviceEnvironment: Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[0] !== URL_ENV),
    ),
  };
}
