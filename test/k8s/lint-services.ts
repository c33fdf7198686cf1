/** Rules for configuration and references: what a service would refuse, names that lead nowhere. */
import { TaskstreamError } from '@taskstream/core';
import { ServiceError } from '@taskstream/service-host';
import { chooseAuthenticator } from '../../services/front-end/src/auth/authenticator.js';
import { SERVICES, type Cluster, type Workload } from './cluster.js';
import type { Say } from './rule.js';

export function lintReferences(cluster: Cluster, say: Say): void {
  for (const workload of cluster.workloads) lintMounts(cluster, workload, say);
  for (const service of cluster.all('Service')) {
    const name = `Service/${service.metadata?.name}`;
    const pods = cluster.selected(service.spec?.selector);
    if (pods.length !== 1) say('selector', name, `selects ${pods.length} workloads`);
    const ports = new Set(pods.flatMap((pod) => (pod.container.ports ?? []).map((port) => port.name)));
    for (const port of service.spec?.ports ?? []) {
      if (!ports.has(String(port.targetPort))) say('port', name, `${String(port.targetPort)} is no port of its pods`);
    }
    if (service.spec?.sessionAffinity === 'ClientIP') say('affinity', name, 'ties clients to a node');
  }
  for (const route of cluster.all('HTTPRoute')) {
    const name = `HTTPRoute/${route.metadata?.name}`;
    for (const { name: parent, sectionName } of route.spec?.parentRefs ?? []) {
      const listener = cluster.find('Gateway', parent)?.spec.listeners.find((one) => one.name === sectionName);
      if (listener === undefined) say('reference', name, `there is no listener ${parent}/${sectionName}`);
      else if (!route.spec?.hostnames?.every((host) => host === listener.hostname)) {
        say('reference', name, 'the listener has another host name');
      }
    }
    const front = cluster.config('taskstream-front-end');
    if (typeof front !== 'string' && !route.spec?.hostnames?.every((host) => front.allowedHosts?.includes(host))) {
      say('config', name, 'the front end would refuse its host name: allowedHosts');
    }
    for (const rule of route.spec?.rules ?? []) {
      if (rule.timeouts?.request !== '0s') say('timeout', name, 'streams are cut by the request timeout');
      for (const { name: backend, port } of rule.backendRefs ?? []) {
        const ports = cluster.find('Service', backend)?.spec?.ports ?? [];
        if (!ports.some((one) => one.port === port)) say('reference', name, `there is no ${backend}:${port}`);
      }
    }
  }
  for (const gateway of cluster.all('Gateway')) {
    for (const listener of gateway.spec.listeners) {
      for (const { name } of listener.tls?.certificateRefs ?? []) {
        if (cluster.keysOf('Secret', name) === undefined) say('reference', 'Gateway', `there is no Secret ${name}`);
      }
    }
  }
  const namespaces = new Set(cluster.objects.flatMap((object) => object.metadata.namespace ?? []));
  const made = cluster.objects.filter((object) => object.kind === 'Namespace').map((object) => object.metadata.name);
  if (namespaces.size !== 1 || made.length !== 1 || !namespaces.has(made[0] ?? '')) {
    say('namespace', 'all', `objects are in ${[...namespaces].join(', ')}, made is ${made.join(', ')}`);
  }
}

function lintMounts(cluster: Cluster, { name, container, pod }: Workload, say: Say): void {
  const needs = (kind: 'ConfigMap' | 'Secret', object: string | undefined, key?: string): void => {
    const keys = cluster.keysOf(kind, object);
    if (keys === undefined) say('reference', name, `there is no ${kind} ${object}`);
    else if (key !== undefined && !keys.includes(key)) say('reference', name, `${kind} ${object} has no key ${key}`);
  };
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) needs('ConfigMap', configMapRef.name);
    // All keys of a secret would become variables, also those of others.
    if (secretRef !== undefined) say('reference', name, 'takes a whole Secret into its environment');
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.secretKeyRef !== undefined) needs('Secret', valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key);
    if (valueFrom?.configMapKeyRef !== undefined) {
      needs('ConfigMap', valueFrom.configMapKeyRef.name, valueFrom.configMapKeyRef.key);
    }
  }
  const volumes = new Set((pod.volumes ?? []).map((volume) => volume.name));
  for (const volume of pod.volumes ?? []) if (volume.configMap !== undefined) needs('ConfigMap', volume.configMap.name);
  const claims = cluster.find('StatefulSet', name)?.spec?.volumeClaimTemplates ?? [];
  for (const claim of claims) volumes.add(claim.metadata?.name ?? '');
  for (const mount of container.volumeMounts ?? []) {
    if (!volumes.has(mount.name)) say('reference', name, `mounts ${mount.name}, which is no volume`);
  }
}

export function lintConfiguration(cluster: Cluster, say: Say): void {
  const front = cluster.config('taskstream-front-end');
  const worker = cluster.config('taskstream-worker');
  for (const [name, config] of [
    ['taskstream-front-end', front],
    ['taskstream-worker', worker],
  ] as const) {
    if (typeof config === 'string') {
      say('config', name, config);
      continue;
    }
    for (const url of config.natsUrl) {
      const { hostname, port } = new URL(url);
      const service = cluster.find('Service', hostname);
      if (service?.spec?.ports?.some((one) => String(one.port) === port) !== true) {
        say('config', name, `natsUrl: there is no service ${hostname}:${port}`);
      }
      if (service?.spec?.publishNotReadyAddresses === true) {
        say('config', name, 'natsUrl: clients are sent to nodes that are not ready');
      }
    }
    if (config.natsToken === undefined) say('config', name, 'NATS asks for a token and natsToken is not set');
    const nodes = cluster.workload('nats')?.replicas ?? 0;
    if (config.replicas > nodes) say('config', name, `replicas: ${config.replicas} of ${nodes} nodes`);
    if (config.replicas < 3) say('config', name, 'replicas: the loss of a node loses the log');
  }
  for (const container of cluster.workloads.filter((one) => one.name in SERVICES).map((one) => one.container)) {
    for (const { name, value } of container.env ?? []) {
      if (value !== undefined && /KEY|TOKEN/.test(name)) say('secret', container.name, `${name} stands in the open`);
    }
  }
  for (const map of cluster.all('ConfigMap')) {
    for (const key of Object.keys(map.data ?? {})) {
      if (/SESSION_KEY|TOKEN/.test(key)) say('secret', String(map.metadata?.name), `${key} stands in the open`);
    }
  }
  if (typeof front !== 'string') {
    if (front.sessionKey === undefined)
      say('config', 'taskstream-front-end', 'sessionKey: sessions are good on one node only');
    if (front.auth === 'none') say('config', 'taskstream-front-end', 'auth none lets everybody in');
    if (front.drainDelayMs + front.drainSpreadMs + 2_000 > front.shutdownMsMax) {
      say('config', 'taskstream-front-end', 'drainDelayMs + drainSpreadMs does not fit into shutdownMsMax');
    }
    try {
      chooseAuthenticator(front);
    } catch (error) {
      if (!(error instanceof ServiceError) && !(error instanceof TaskstreamError)) throw error;
      say('config', 'taskstream-front-end', error.message);
    }
  }
  if (typeof worker !== 'string' && worker.drainMsMax + worker.stopGraceMs > worker.shutdownMsMax) {
    say('config', 'taskstream-worker', 'drainMsMax + stopGraceMs does not fit into shutdownMsMax');
  }
}
