/** The front end process. */
import { serviceMain } from '@taskstream/service-host';
import { readFrontEndConfig } from './config.js';
import { FrontEndService } from './front-end-service.js';

await serviceMain('front-end', readFrontEndConfig, (config, logger) => new FrontEndService(config, logger));
