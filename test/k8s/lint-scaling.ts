/** Rules for autoscalers and monitors. */
import { queueConsumers, WORK_STREAM } from '@taskstream/jetstream';
import { bytesOf, isSubset, type Cluster } from './cluster.js';
import type { Facts, Say } from './rule.js';

/** What KEDA's scaler nats-jetstream reads; it ignores anything else in silence. */
const KEDA_KEYS = [
  'natsServerMonitoringEndpoint',
  'account',
  'stream',
  'consumer',
  'lagThreshold',
  'activationLagThreshold',
];
/** Resident memory of a stream with a task of its own, from docs/benchmarks.md, rounded up. */
const STREAM_BYTES = 20 * 1024;

export function lintScaling(cluster: Cluster, facts: Facts, say: Say): void {
  const scaled = [
    ...cluster.all('HorizontalPodAutoscaler').map((one) => one.spec?.scaleTargetRef),
    ...cluster.all('ScaledObject').map((one) => ({ kind: 'Deployment', ...one.spec?.scaleTargetRef })),
  ].map((target) => target?.name ?? '');
  for (const name of scaled) {
    const workload = cluster.workload(name);
    if (workload?.kind !== 'Deployment') say('scaling', name, 'the target of an autoscaler is not there');
    else if (workload.replicas !== undefined)
      say('scaling', name, 'each apply would set back what the autoscaler chose');
    if (scaled.filter((other) => other === name).length > 1) say('scaling', name, 'two autoscalers own it');
  }
  for (const { kind, name, replicas } of cluster.workloads) {
    if (kind !== 'Deployment' || scaled.includes(name)) continue;
    if ((replicas ?? 1) < 2) say('scaling', name, 'one replica: nothing takes over while it is replaced');
  }
  lintKeda(cluster, facts, say);
  lintHpa(cluster, facts, say);
  lintMonitors(cluster, say);
}

function lintKeda(cluster: Cluster, facts: Facts, say: Say): void {
  const worker = cluster.config('taskstream-worker');
  for (const { metadata, spec } of cluster.all('ScaledObject')) {
    const rule = (holds: boolean, fault: string): void => void (holds || say('keda', String(metadata?.name), fault));
    rule(spec?.fallback?.behavior === 'currentReplicasIfHigher', 'scales down when it cannot see the queue');
    const down = spec?.advanced?.horizontalPodAutoscalerConfig?.behavior?.scaleDown;
    rule((down?.stabilizationWindowSeconds ?? 0) >= 60, 'a short lull takes workers away');
    const least = spec?.minReplicaCount ?? 0;
    rule(
      cluster.overlay === 'scale-to-zero' ? least === 0 : least >= 2,
      `minReplicaCount ${least} is not this overlay’s`,
    );
    rule((spec?.maxReplicaCount ?? 100) > least, 'maxReplicaCount leaves nothing to scale');
    const triggers = spec?.triggers ?? [];
    const consumers = triggers.map((one) => one.metadata['consumer']);
    const queue = facts.queues.find((name) =>
      consumers.some((consumer) => queueConsumers(name).includes(consumer ?? '')),
    );
    const wanted = queue === undefined ? [] : queueConsumers(queue);
    rule(queue !== undefined, `${consumers.join(', ')} serve no queue`);
    rule(sorted(consumers) === sorted(wanted), `not every line of the queue counts once: ${wanted.join(', ')}`);
    const modifiers = spec?.advanced?.scalingModifiers;
    const summands = modifiers?.formula?.split('+').map((word) => word.trim()) ?? [];
    rule(sorted(summands) === sorted(triggers.map((one) => one.name)), 'the formula is not the sum of all lines');
    rule(modifiers?.activationTarget === '0', 'tasks wait for others before a first worker comes');
    if (typeof worker !== 'string') {
      rule(modifiers?.target === String(worker.slots), `the target is not slots, ${worker.slots}`);
      rule((spec?.maxReplicaCount ?? 100) * worker.slots <= worker.runningTasksMax, 'more slots than runningTasksMax');
    }
    const headless = cluster.find('StatefulSet', 'nats')?.spec?.serviceName ?? '';
    const namespace = cluster.find('Deployment', 'taskstream-worker')?.metadata?.namespace ?? '';
    const port = cluster.find('Service', headless)?.spec?.ports?.find((one) => one.name === 'monitor')?.port;
    // The scaler puts a pod's name before it; any other service gives it a follower, which reports 0.
    const endpoint = `${headless}.${namespace}.svc.cluster.local:${port}`;
    for (const { type, metadata: trigger } of triggers) {
      rule(type === 'nats-jetstream', `${type} is no scaler of queues`);
      rule(sorted(Object.keys(trigger)) === sorted(KEDA_KEYS), 'keys that the scaler does not read');
      rule(trigger['natsServerMonitoringEndpoint'] === endpoint, `the endpoint is not ${endpoint}`);
      rule(trigger['account'] === '$G', 'nats.conf defines no accounts');
      rule(trigger['stream'] === WORK_STREAM, `${trigger['stream']} is not the stream of work`);
    }
  }
}

function sorted(words: ReadonlyArray<string | undefined>): string {
  return words
    .map((word) => word ?? '')
    .toSorted()
    .join();
}

function lintHpa(cluster: Cluster, facts: Facts, say: Say): void {
  for (const { metadata, spec } of cluster.all('HorizontalPodAutoscaler')) {
    const name = String(metadata?.name);
    const rule = (holds: boolean, fault: string): void => void (holds || say('hpa', name, fault));
    const front = cluster.config('taskstream-front-end');
    rule((spec?.minReplicas ?? 1) >= 2, 'one front end: nothing takes over while it is replaced');
    rule((spec?.behavior?.scaleDown?.stabilizationWindowSeconds ?? 0) >= 300, 'each lull costs streams a reconnect');
    const streams = spec?.metrics?.find((one) => one.type === 'Pods')?.pods;
    rule(streams !== undefined && facts.metrics.includes(streams.metric.name), 'a metric that front ends do not have');
    const target = Number(streams?.target.averageValue);
    if (typeof front !== 'string') {
      // New pods need time, and one that is lost leaves its streams to the others.
      rule(target * 1.5 <= front.streamsMax, 'scales only when streams are refused already');
    }
    const limit = bytesOf(cluster.workload(name)?.container.resources?.limits?.['memory']);
    rule(target * 1.5 * STREAM_BYTES <= limit * 0.5, 'the streams do not fit half of the memory limit');
  }
}

function lintMonitors(cluster: Cluster, say: Say): void {
  for (const { metadata, spec } of cluster.all('PodMonitor')) {
    const name = `PodMonitor/${metadata?.name}`;
    const pods = cluster.workloads.filter((one) => isSubset(spec.selector.matchLabels ?? { none: '' }, one.labels));
    if (pods.length !== 1) say('monitor', name, `selects ${pods.length} workloads`);
    for (const { port, path } of spec.podMetricsEndpoints ?? []) {
      if (port !== 'ops' || path !== '/metrics') say('monitor', name, 'does not ask the operations port for metrics');
    }
  }
  const monitored = cluster.all('PodMonitor');
  if (monitored.length > 0 && monitored.length < 2) say('monitor', 'all', 'a service is not monitored');
}
