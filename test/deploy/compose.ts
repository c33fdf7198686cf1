/**
 * docker-compose.yml as data, and the rules that hold between it, the configuration schemas and the files it mounts.
 *
 * Invariant: keys, ports and times come from the code and from the Dockerfile, never from a second list.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadConfig, ServiceError } from '@taskstream/service-host';
import { parse } from 'yaml';
import * as z from 'zod';
import { FrontEndConfig, OTHER_KEYS as FRONT_END_OTHER_KEYS } from '../../services/front-end/src/config.js';
import { OTHER_KEYS as WORKER_OTHER_KEYS, WorkerConfig } from '../../services/worker/src/config.js';
import { chooseAuthenticator } from '../../services/front-end/src/auth/authenticator.js';
import { imageOf, type Stage } from './dockerfile.js';

const Service = z.looseObject({
  image: z.string().optional(),
  build: z.object({ context: z.string(), target: z.string() }).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
  stop_signal: z.string().optional(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
});
type Service = z.infer<typeof Service>;
const Compose = z.looseObject({ services: z.record(z.string(), Service), volumes: z.record(z.string(), z.unknown()) });
export type Compose = z.infer<typeof Compose>;

/** Stand-ins for what the user has to set. */
export const GIVEN = { TASKSTREAM_STATIC_TOKENS: 'me:a-token-of-20-letters', TASKSTREAM_SESSION_KEY: 'x'.repeat(32) };

export function parseCompose(text: string): Compose {
  const filled = text.replaceAll(/\$\{(\w+)(?::[?-][^}]*)?\}/g, (_, name: string) =>
    name in GIVEN ? GIVEN[name as keyof typeof GIVEN] : '',
  );
  return Compose.parse(parse(filled, { merge: true }));
}

export interface Files {
  readonly root: string;
  readonly stages: readonly Stage[];
  readonly haproxy: string;
  readonly nginx: string;
  readonly nats: string;
  readonly prometheus: string;
}

export function composeFaults(compose: Compose, files: Files): string[] {
  const faults: string[] = [];
  for (const [name, service] of Object.entries(compose.services)) {
    const say = (fault: string): void => void faults.push(`${name}: ${fault}`);
    if (service.build === undefined && !/:v?\d+\.\d+\.\d+/.test(service.image ?? '')) say('the image is not pinned');
    for (const port of service.ports) if (!port.startsWith('127.0.0.1:')) say(`publishes ${port} to everybody`);
    const needed = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on);
    for (const other of needed) if (!(other in compose.services)) say(`depends on ${other}, which is not there`);
    for (const volume of service.volumes) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.') ? !existsSync(path.join(files.root, source)) : !(source in compose.volumes)) {
        say(`mounts ${source}, which is not there`);
      }
    }
    if (service.build !== undefined) ownFaults(service, service.build.target, compose, files, say);
  }
  faults.push(...natsFaults(compose, files), ...balancerFaults(compose, files), ...scrapeFaults(compose, files));
  return faults;
}

const SCHEMAS = {
  'front-end': { schema: FrontEndConfig, otherKeys: FRONT_END_OTHER_KEYS },
  worker: { schema: WorkerConfig, otherKeys: WORKER_OTHER_KEYS },
} as const;

function configOf(service: Service, target: string, files: Files) {
  const { schema, otherKeys } = SCHEMAS[target as keyof typeof SCHEMAS];
  const env = { ...imageOf(files.stages, target).env, ...service.environment };
  const loaded = loadConfig(schema as typeof WorkerConfig, { name: target, env, otherKeys });
  if (loaded.type !== 'config') throw new Error('no arguments were given');
  return loaded.config;
}

function ownFaults(
  service: Service,
  target: string,
  compose: Compose,
  files: Files,
  say: (fault: string) => void,
): void {
  if (!(target in SCHEMAS)) return say(`builds ${target}, which is no service`);
  if (!service.read_only) say('its root is not read-only');
  if (!service.cap_drop.includes('ALL')) say('it keeps capabilities');
  try {
    const config = configOf(service, target, files);
    if (seconds(service.stop_grace_period) * 1_000 < config.shutdownMsMax + 10_000) {
      say(`stop_grace_period is shorter than shutdownMsMax ${config.shutdownMsMax} ms + 10 s`);
    }
    const nats = natsServices(compose).map(([name]) => `nats://${name}:4222`);
    if (config.natsUrl.toSorted().join() !== nats.toSorted().join()) say('natsUrl does not name every NATS node');
    if (target === 'front-end') chooseAuthenticator(config as unknown as FrontEndConfig);
    if (config.replicas > nats.length) say(`asks for ${config.replicas} replicas of ${nats.length} nodes`);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    say(error.message);
  }
}

function natsServices(compose: Compose): Array<[string, Service]> {
  return Object.entries(compose.services).filter(([, service]) => service.image?.startsWith('nats:'));
}

function natsFaults(compose: Compose, files: Files): string[] {
  const faults: string[] = [];
  const services = natsServices(compose);
  const lameDuckS =
    seconds(setting(files.nats, 'lame_duck_duration')) + seconds(setting(files.nats, 'lame_duck_grace_period'));
  if (services.length < 3) faults.push('nats: fewer than three nodes');
  for (const [name, service] of services) {
    if (service.environment['SERVER_NAME'] !== name) faults.push(`${name}: SERVER_NAME is another`);
    if (!files.nats.includes(`nats://${name}:6222`)) faults.push(`${name}: no route leads to it`);
    if (service.stop_signal !== 'SIGUSR2') faults.push(`${name}: stops without lame duck mode`);
    if (seconds(service.stop_grace_period) < lameDuckS + 10) faults.push(`${name}: is killed in lame duck mode`);
    if (
      !service.volumes.some(
        (volume) => volume.startsWith(`${name}:`) && volume.endsWith(setting(files.nats, 'store_dir')),
      )
    ) {
      faults.push(`${name}: its store is not on a volume of its own`);
    }
  }
  return faults;
}

function balancerFaults(compose: Compose, files: Files): string[] {
  const faults: string[] = [];
  const heartbeatMs = FrontEndConfig.parse({}).heartbeatMs;
  for (const name of ['timeout client', 'timeout server']) {
    if (seconds(setting(files.haproxy, name)) * 1_000 < heartbeatMs * 3)
      faults.push(`haproxy: ${name} cuts silent streams`);
  }
  for (const name of ['proxy_read_timeout', 'proxy_send_timeout']) {
    if (seconds(setting(files.nginx, name)) * 1_000 < heartbeatMs * 3)
      faults.push(`nginx: ${name} cuts silent streams`);
  }
  if (!/^\s*option http-no-delay$/m.test(files.haproxy)) faults.push('haproxy: http-no-delay is missing');
  if (!/^\s*proxy_buffering off;$/m.test(files.nginx)) faults.push('nginx: proxy_buffering is on');
  const environment = compose.services['load-balancer']?.environment ?? {};
  const used = new Set([...files.haproxy.matchAll(/"\$\{(\w+)\}"/g)].map(([, name]) => name ?? ''));
  for (const name of used) if (!(name in environment)) faults.push(`load-balancer: ${name} is not set`);
  for (const [name, value] of Object.entries(environment)) {
    if (!used.has(name)) faults.push(`load-balancer: haproxy.cfg does not read ${name}`);
    const [host = '', port] = value.split(':');
    if (name.startsWith('FRONT_END') && (compose.services[host] === undefined || port !== portOf(files, 'PORT'))) {
      faults.push(`load-balancer: ${value} is no front end`);
    }
    if (name.startsWith('OPS') && value !== portOf(files, 'OPS_PORT'))
      faults.push(`load-balancer: ${name} is no opsPort`);
  }
  const frontEnds = Object.entries(compose.services).filter(([, service]) => service.build?.target === 'front-end');
  for (const [name] of frontEnds) {
    if (!Object.values(environment).some((value) => value.startsWith(`${name}:`)))
      faults.push(`${name}: gets no traffic`);
    if (!files.nginx.includes(`server ${name}:${portOf(files, 'PORT')} `))
      faults.push(`nginx: ${name} gets no traffic`);
  }
  return faults;
}

const Scrapes = z.looseObject({
  scrape_configs: z.array(
    z.looseObject({
      static_configs: z.array(z.object({ targets: z.array(z.string()) })).default([]),
      dns_sd_configs: z.array(z.looseObject({ names: z.array(z.string()), port: z.number() })).default([]),
    }),
  ),
});

function scrapeFaults(compose: Compose, files: Files): string[] {
  const targets = Scrapes.parse(parse(files.prometheus)).scrape_configs.flatMap((job) => [
    ...job.static_configs.flatMap((one) => one.targets),
    ...job.dns_sd_configs.flatMap((one) => one.names.map((name) => `${name}:${one.port}`)),
  ]);
  const faults: string[] = [];
  for (const target of targets) {
    const [host = '', port] = target.split(':');
    const service = compose.services[host];
    if (service === undefined) faults.push(`prometheus: ${target} is no service`);
    else if (service.build !== undefined && port !== portOf(files, 'OPS_PORT'))
      faults.push(`prometheus: ${target} is no opsPort`);
  }
  for (const [name, service] of Object.entries(compose.services)) {
    if (service.build !== undefined && !targets.some((target) => target.startsWith(`${name}:`))) {
      faults.push(`prometheus: ${name} is not scraped`);
    }
  }
  return faults;
}

function portOf(files: Files, key: 'PORT' | 'OPS_PORT'): string {
  return imageOf(files.stages, 'front-end').env[`TASKSTREAM_${key}`] ?? '';
}

/** The value of a setting in a file of `name value` or `name: value` lines. */
function setting(text: string, name: string): string {
  return new RegExp(`^\\s*${name}:?\\s+([^\\s;]+)`, 'm').exec(text)?.[1] ?? '';
}

function seconds(duration: string | undefined): number {
  return /^\d+s$/.test(duration ?? '') ? Number.parseInt(duration ?? '', 10) : 0;
}
