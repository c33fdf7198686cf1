/** The worker process. */
import { serviceMain } from '@taskstream/service-host';
import { readWorkerConfig } from './config.js';
import { WorkerService } from './worker-service.js';

await serviceMain('worker', readWorkerConfig, (config, logger) => new WorkerService(config, logger));
