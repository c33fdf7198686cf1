/**
 * The worker's configuration: one schema, read once at start.
 */
import { storeOptionsShape } from '@taskstream/jetstream';
import { hostConfigShape, loadConfig, type LoadedConfig } from '@taskstream/service-host';
import { workerOptionsShape } from '@taskstream/worker';
import * as z from 'zod';

export const WorkerConfig = z.strictObject({
  natsUrl: z.array(z.string().min(1)).default(['nats://127.0.0.1:4222']).meta({ description: 'NATS servers' }),
  natsPingMs: z.int().positive().default(2_000).meta({
    description: 'Interval of pings to NATS; a server that misses two is left for another',
  }),
  natsToken: z.string().optional().meta({ description: 'Token for NATS', secret: true }),
  connectMsMax: z
    .int()
    .positive()
    .default(30_000)
    .meta({ description: 'Bound of the first connection to NATS, in ms' }),
  tools: z.string().optional().meta({
    description: 'Module whose default export is an array of defineTool(…); absent: the example tools',
  }),
  auditRoots: z.array(z.string().min(1)).prefault(['.']).meta({
    description: 'Directories that the example tool audit_repository may read',
  }),
  ...hostConfigShape,
  ...workerOptionsShape,
  ...storeOptionsShape,
});
export type WorkerConfig = z.infer<typeof WorkerConfig>;

/** Keys of the front end and of the command line, which share the environment and the file. A test holds the list. */
export const OTHER_KEYS: readonly string[] = [
  'host',
  'port',
  'auth',
  'staticTokens',
  'jwtJwksUrl',
  'jwtIssuer',
  'progressPerSecondMax',
  'publicUrl',
  'sessionKey',
  'allowedHosts',
  'allowedOrigins',
  'requestBytesMax',
  'requestDepthMax',
  'streamsPerOwnerMax',
  'streamOpensPerMinuteMax',
  'unknownTasksPerMinuteMax',
  'countedOwnersMax',
  'streamsMax',
  'heartbeatMs',
  'slowReaderMsMax',
  'streamAgeMsMax',
  'drainDelayMs',
  'drainSpreadMs',
  'cancelGraceMs',
  'sessionMsMax',
  'refusedBodyMsMax',
  'requestStateMsMax',
  'callMsMax',
  'updateGraceMs',
  'url',
];

/** @throws ServiceError that lists every fault */
export function readWorkerConfig(): LoadedConfig<WorkerConfig> {
  return loadConfig(WorkerConfig, {
    name: 'taskstream-worker',
    env: process.env,
    argv: process.argv.slice(2),
    otherKeys: OTHER_KEYS,
  });
}
