/**
 * The front end's configuration: one schema, read once at start.
 */
import { storeOptionsShape } from '@taskstream/jetstream';
import { hostConfigShape, loadConfig, type LoadedConfig } from '@taskstream/service-host';
import * as z from 'zod';

const ms = z.int().positive();
const count = z.int().positive();

export const frontEndLimitsShape = {
  requestBytesMax: count.default(1024 * 1024).meta({ description: 'Largest request body' }),
  requestDepthMax: count.default(256).meta({ description: 'Deepest nesting of a request body' }),
  refusedBodyMsMax: ms
    .default(5_000)
    .meta({ description: 'Time to read and drop the rest of a body that is too large' }),
  streamsPerOwnerMax: count.default(1_000).meta({ description: 'Open streams of one owner on this node' }),
  streamsMax: count.default(50_000).meta({ description: 'Open streams on this node' }),
  streamOpensPerMinuteMax: count
    .default(6_000)
    .meta({ description: 'Streams that one owner may open or resume on this node in a minute' }),
  unknownTasksPerMinuteMax: count
    .default(600)
    .meta({ description: 'Requests of one owner for tasks that do not exist, on this node in a minute' }),
  countedOwnersMax: count.default(10_000).meta({ description: 'Owners whose attempts are counted at a time' }),
  heartbeatMs: ms.default(15_000).meta({ description: 'Silence on a stream after which a comment is sent' }),
  slowReaderMsMax: ms
    .default(60_000)
    .meta({ description: 'A stream whose client takes nothing for so long is closed' }),
  streamAgeMsMax: z.int().nonnegative().default(0).meta({
    description: 'Age at which a stream is ended for its client to open it elsewhere; 0: never',
  }),
  drainDelayMs: z.int().nonnegative().default(0).meta({
    description:
      'At shutdown this node serves on for so long while it says that it is not ready, until its load balancer has noticed',
  }),
  drainSpreadMs: z.int().nonnegative().default(10_000).meta({
    description:
      'At shutdown streams are ended one by one over this time at most, so that their clients do not come back at once',
  }),
  cancelGraceMs: ms.default(2_000).meta({
    description: 'Time that a worker gets to end a cancelled task before a 2025-11-25 client is answered by fencing it',
  }),
  updateGraceMs: ms.default(1_000).meta({
    description: 'Time that tasks/update waits for the task to take its answers, so that the next tasks/get shows it',
  }),
  sessionMsMax: ms.default(86_400_000).meta({ description: 'Life of a 2025-11-25 session id' }),
  requestStateMsMax: ms.default(600_000).meta({ description: 'Life of the state of a call that waits for input' }),
  callMsMax: ms.default(300_000).meta({ description: 'Longest wait of a call that is answered without a task' }),
  progressPerSecondMax: count
    .default(20)
    .meta({ description: 'Progress notifications of one waiting call in a second; more are left out' }),
} as const;

export const FrontEndLimits = z.object(frontEndLimitsShape);
export type FrontEndLimits = z.infer<typeof FrontEndLimits>;

export const FrontEndConfig = z.strictObject({
  natsUrl: z.array(z.string().min(1)).default(['nats://127.0.0.1:4222']).meta({ description: 'NATS servers' }),
  natsPingMs: ms.default(2_000).meta({
    description: 'Interval of pings to NATS; a server that misses two is left for another',
  }),
  natsToken: z.string().optional().meta({ description: 'Token for NATS', secret: true }),
  connectMsMax: ms.default(30_000).meta({ description: 'Bound of the first connection to NATS, in ms' }),
  host: z.string().default('127.0.0.1').meta({ description: 'Interface to listen on' }),
  port: z.int().min(0).max(65_535).default(3_000).meta({ description: 'Port to listen on; 0 takes a free one' }),
  auth: z.enum(['none', 'static', 'jwt']).default('none').meta({
    description: 'Who may come in: everybody on the loopback interface, listed tokens, or tokens of an issuer',
  }),
  staticTokens: z.array(z.string()).optional().meta({ description: 'owner:token, for auth static', secret: true }),
  jwtJwksUrl: z.url().optional().meta({ description: 'Where the issuer publishes its keys, for auth jwt' }),
  jwtIssuer: z.url().optional().meta({ description: 'Issuer of the tokens, for auth jwt' }),
  publicUrl: z.url().optional().meta({ description: 'URL of /mcp as clients know it: the audience of tokens' }),
  sessionKey: z.string().min(32).optional().meta({
    description: 'Key that signs session ids and call states; the same on all front ends. Absent: random, for one node',
    secret: true,
  }),
  allowedHosts: z.array(z.string().min(1)).optional().meta({
    description: 'Host names that requests may name; absent: those of the loopback interface',
  }),
  allowedOrigins: z.array(z.string().min(1)).optional().meta({
    description: 'Origin host names that requests may come from; absent: those of the loopback interface',
  }),
  ...frontEndLimitsShape,
  ...hostConfigShape,
  ...storeOptionsShape,
});
export type FrontEndConfig = z.infer<typeof FrontEndConfig>;

/** Keys of the worker and of the command line, which share the environment and the file. A test holds the list. */
export const OTHER_KEYS: readonly string[] = [
  'tools',
  'auditRoots',
  'slots',
  'stopGraceMs',
  'drainMsMax',
  'unknownToolRetryMs',
  'unknownTaskRetryMs',
  'blockedMsMax',
  'limitRetryMs',
  'limitRetryMsMax',
  'ownerRunningMax',
  'orphanItemMs',
  'childrenMax',
  'childDepthMax',
  'childWaitsMax',
  'parentCheckMs',
  'pullRetryMs',
  'stepsMax',
  'stepResultBytesMax',
  'checkpointBytesMax',
  'checkpointsMax',
  'checkpointEventMs',
  'suspendLingerMs',
  'url',
];

/** @throws ServiceError that lists every fault */
export function readFrontEndConfig(): LoadedConfig<FrontEndConfig> {
  return loadConfig(FrontEndConfig, {
    name: 'taskstream-front-end',
    env: process.env,
    argv: process.argv.slice(2),
    otherKeys: OTHER_KEYS,
  });
}
