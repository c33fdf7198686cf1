/**
 * The front end process: configuration, logger, lifecycle. Nothing else.
 */
import { createLogger, runService, ServiceError } from '@taskstream/service-host';
import { readFrontEndConfig } from './config.js';
import { FrontEndService } from './front-end-service.js';

try {
  const loaded = readFrontEndConfig();
  if (loaded.type === 'text') {
    process.stdout.write(`${loaded.text}\n`);
  } else {
    const { config } = loaded;
    const logger = createLogger({ name: 'front-end', level: config.logLevel, pretty: config.logPretty });
    const service = new FrontEndService(config, logger);
    await runService({
      name: 'front-end',
      logger,
      startMsMax: config.startMsMax,
      shutdownMsMax: config.shutdownMsMax,
      start: () => service.start(),
      stop: () => service.stop(),
    });
  }
} catch (error) {
  if (!(error instanceof ServiceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
