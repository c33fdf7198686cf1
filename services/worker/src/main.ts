/**
 * The worker process: configuration, logger, lifecycle. Nothing else.
 */
import { createLogger, runService, ServiceError } from '@taskstream/service-host';
import { readWorkerConfig } from './config.js';
import { WorkerService } from './worker-service.js';

try {
  const loaded = readWorkerConfig();
  if (loaded.type === 'text') {
    process.stdout.write(`${loaded.text}\n`);
  } else {
    const { config } = loaded;
    const logger = createLogger({ name: 'worker', level: config.logLevel, pretty: config.logPretty });
    const service = new WorkerService(config, logger);
    await runService({
      name: 'worker',
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
