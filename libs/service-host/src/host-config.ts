/**
 * The configuration keys that every service shares; a service spreads them into its own schema.
 */
import * as z from 'zod';
import { LOG_LEVELS } from './logger.js';

export const hostConfigShape = {
  logLevel: z.enum(LOG_LEVELS).default('info').meta({ description: 'Least level that is logged.' }),
  logPretty: z
    .boolean()
    .optional()
    .meta({ description: 'Logs for people instead of JSON lines; absent: only on a terminal.' }),
  opsHost: z.string().min(1).default('127.0.0.1').meta({ description: 'Interface of the operations port.' }),
  opsPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .meta({ description: 'Port of /livez, /readyz and /metrics; 0 takes a free one; absent: no port of its own.' }),
  startMsMax: z
    .int()
    .positive()
    .default(60_000)
    .meta({ description: 'How long a start may take, in ms; afterwards the process ends with code 1.' }),
  shutdownMsMax: z
    .int()
    .positive()
    .default(25_000)
    .meta({ description: 'How long a drain may take, in ms; afterwards the process ends with code 1.' }),
} as const;
