/** Rules for the NATS cluster and its configuration file. */
import { bytesOf, type Cluster } from './cluster.js';
import type { Say } from './rule.js';

/** Fixes for desynchronised replicas and panics are in this version. */
const NATS_MIN = [2, 14, 6] as const;

export function lintNats(cluster: Cluster, say: Say): void {
  const set = cluster.find('StatefulSet', 'nats');
  const nats = cluster.workload('nats');
  const rule = (holds: boolean, fault: string): void => void (holds || say('nats', 'nats', fault));
  if (set === undefined || nats === undefined) return say('nats', 'nats', 'there is no StatefulSet nats');
  const { container, pod } = nats;
  const replicas = nats.replicas ?? 1;
  rule(replicas >= 3 && replicas % 2 === 1, `${replicas} nodes: an odd number from 3 on has a majority`);
  rule(set.spec?.podManagementPolicy === 'Parallel', 'nodes start one after the other and never have a quorum');
  const headless = cluster.find('Service', set.spec?.serviceName);
  rule(headless?.spec?.clusterIP === 'None', 'serviceName names no headless service');
  rule(headless?.spec?.publishNotReadyAddresses === true, 'nodes do not find each other before they are ready');
  const budget = cluster.find('PodDisruptionBudget', 'nats');
  rule(budget?.spec?.maxUnavailable === 1, 'more than one node may be drained at a time');
  const [major = 0, minor = 0, patch = 0] = (/:(\d+)\.(\d+)\.(\d+)/.exec(container.image ?? '') ?? [])
    .slice(1)
    .map(Number);
  const version = major * 1e6 + minor * 1e3 + patch;
  rule(
    version >= NATS_MIN[0] * 1e6 + NATS_MIN[1] * 1e3 + NATS_MIN[2],
    `${container.image} is older than ${NATS_MIN.join('.')}`,
  );

  const volume = pod.volumes?.find((one) => one.configMap !== undefined);
  const mount = container.volumeMounts?.find((one) => one.name === volume?.name)?.mountPath;
  const conf = cluster.find('ConfigMap', volume?.configMap?.name)?.data?.['nats.conf'] ?? '';
  rule(container.command?.includes(`${mount}/nats.conf`) === true, 'does not start with its configuration file');
  const setting = (name: string): string => new RegExp(`^\\s*${name}:\\s*"?([^\\s"]+)`, 'm').exec(conf)?.[1] ?? '';
  const env = new Map((container.env ?? []).map((one) => [one.name, one]));
  const variables = [...conf.replaceAll(/#.*$/gm, '').matchAll(/\$([A-Z_]+)/g)].map(([, name]) => name ?? '');
  for (const name of variables) rule(env.has(name), `nats.conf reads $${name}, which is not set`);
  rule(env.get('SERVER_NAME')?.valueFrom?.fieldRef?.fieldPath === 'metadata.name', 'server names are not pod names');
  rule(setting('server_name') === '$SERVER_NAME', 'server_name is not the pod’s name');
  rule(setting('sync_interval') === 'always', 'an ack does not mean that data is on disk');
  rule(setting('no_advertise') === 'true', 'clients are told addresses of pods');
  for (let node = 0; node < replicas; node++) {
    const route = `nats://nats-${node}.${set.spec?.serviceName}:${portOf(setting('listen'), conf, 'cluster')}`;
    rule(conf.includes(`"${route}"`), `there is no route ${route}`);
  }
  const ports = new Map((container.ports ?? []).map((port) => [port.name, String(port.containerPort)]));
  rule(setting('listen').endsWith(`:${ports.get('nats')}`), 'the port nats is not what it listens on');
  rule(setting('http').endsWith(`:${ports.get('monitor')}`), 'the port monitor is not what it listens on');
  rule(portOf('', conf, 'cluster') === ports.get('cluster'), 'the port cluster is not what it listens on');

  const probes = [container.startupProbe, container.livenessProbe].map((probe) => probe?.httpGet?.path);
  // A stricter one restarts every node while the cluster has no quorum.
  for (const path of probes) rule(path === '/healthz?js-enabled-only=true', `is restarted by ${String(path)}`);
  rule(container.readinessProbe?.httpGet?.path === '/healthz?js-server-only=true', 'is ready before JetStream is');
  const preStop = container.lifecycle?.preStop?.exec?.command ?? [];
  rule(
    preStop.some((word) => word === `ldm=${setting('pid_file')}`),
    'stops without lame duck mode',
  );
  const lameDuckS =
    Number.parseInt(setting('lame_duck_duration'), 10) + Number.parseInt(setting('lame_duck_grace_period'), 10);
  rule((pod.terminationGracePeriodSeconds ?? 30) >= lameDuckS + 10, 'is killed in lame duck mode');
  const written = [setting('store_dir'), setting('pid_file').replace(/\/[^/]*$/, '')];
  for (const directory of written) {
    const writable = container.volumeMounts?.some((one) => one.mountPath === directory && one.readOnly !== true);
    rule(writable === true, `${directory} cannot be written`);
  }

  const share =
    bytesOf(env.get('GOMEMLIMIT')?.value?.replace(/B$/, '')) / bytesOf(container.resources?.limits?.['memory']);
  rule(share >= 0.7 && share <= 0.9, `GOMEMLIMIT is ${Math.round(share * 100)} % of the memory limit`);
  const disk = bytesOf(set.spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.['storage']);
  const store = bytesOf(env.get(setting('max_file_store').slice(1))?.value ?? setting('max_file_store'));
  rule(store <= disk * 0.95, 'max_file_store does not fit the disk');
  const config = cluster.config('taskstream-worker');
  if (typeof config !== 'string') {
    const reserved = config.retentionClasses.length * config.shards * config.streamBytesMax + config.workBytesMax;
    rule(reserved <= store * 0.95, `streams reserve ${reserved} bytes of max_file_store ${store}`);
    const payload = bytesOf(setting('max_payload').replace(/B$/, ''));
    rule(payload >= config.messageBytesMax, 'max_payload is less than messageBytesMax');
  }
  const token = env.get('TASKSTREAM_NATS_TOKEN')?.valueFrom?.secretKeyRef;
  rule(conf.includes('authorization { token: $TASKSTREAM_NATS_TOKEN }'), 'lets everybody in');
  for (const name of ['taskstream-front-end', 'taskstream-worker']) {
    const own = cluster.workload(name)?.container.env?.find((one) => one.name === 'TASKSTREAM_NATS_TOKEN');
    const theirs = own?.valueFrom?.secretKeyRef;
    rule(theirs?.name === token?.name && theirs?.key === token?.key, `${name} has another token`);
  }
}

function portOf(fallback: string, conf: string, block: string): string {
  const inside = new RegExp(`^${block} \\{[^}]*?listen: "[^":]*:(\\d+)"`, 'm').exec(conf)?.[1];
  return inside ?? fallback.split(':').at(-1) ?? '';
}
