/**
 * The whole `main` of a service: configuration, logger, lifecycle.
 *
 * Invariant: a fault of the configuration is told in one message without a stack, with exit code 2.
 */
import type { Logger } from 'pino';
import type { LoadedConfig } from './config.js';
import { ServiceError } from './errors.js';
import { runService, type ReadyInfo } from './lifecycle.js';
import { createLogger, type LogLevel } from './logger.js';

interface MainConfig {
  readonly logLevel: LogLevel;
  readonly logPretty?: boolean | undefined;
  readonly startMsMax: number;
  readonly shutdownMsMax: number;
}

interface Service {
  start(): Promise<ReadyInfo>;
  stop(): Promise<void>;
}

/** `read` loads the configuration, `create` makes the service from it. Resolves when the service has ended. */
export async function serviceMain<Config extends MainConfig>(
  name: string,
  read: () => LoadedConfig<Config>,
  create: (config: Config, logger: Logger) => Service,
): Promise<void> {
  try {
    const loaded = read();
    if (loaded.type === 'text') {
      process.stdout.write(`${loaded.text}\n`);
      return;
    }
    const { config } = loaded;
    const logger = createLogger({ name, level: config.logLevel, pretty: config.logPretty });
    const service = create(config, logger);
    await runService({
      name,
      logger,
      startMsMax: config.startMsMax,
      shutdownMsMax: config.shutdownMsMax,
      start: () => service.start(),
      stop: () => service.stop(),
    });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}
