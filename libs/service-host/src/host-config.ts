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
  tracesUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .meta({
      description:
        'Where traces are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; absent: no traces.',
    }),
  tracesSampleRatio: z.number().min(0).max(1).default(1).meta({
    description: 'Share of traces that are sent, of those whose creator did not decide it by its own trace context.',
  }),
  tracesQueueMax: z.int().positive().default(2_048).meta({
    description: 'Spans that wait to be sent; more are dropped.',
  }),
  tracesFlushMsMax: z.int().positive().default(2_000).meta({
    description: 'How long one sending of spans may take, also the last one at shutdown, in ms.',
  }),
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
