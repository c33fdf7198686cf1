/** Rules for pods: security, probes, shutdown, placement, disruption. */
import { OPS_PATHS } from '@taskstream/service-host';
import { isSubset, SERVICES, type Cluster, type ServiceName, type Workload } from './cluster.js';
import type { Say } from './rule.js';

export function lintPods(cluster: Cluster, say: Say): void {
  for (const workload of cluster.workloads) {
    lintSecurity(cluster, workload, say);
    lintPlacement(workload, say);
    lintBudget(cluster, workload, say);
    if (workload.name in SERVICES) lintService(cluster, workload, workload.name as ServiceName, say);
  }
  for (const { metadata } of cluster.objects.filter((object) => object.kind === 'Namespace')) {
    if (metadata.labels['pod-security.kubernetes.io/enforce'] !== 'restricted') {
      say('pod-security', metadata.name, 'the namespace does not enforce the restricted profile');
    }
  }
}

function lintSecurity(cluster: Cluster, { name, pod, container }: Workload, say: Say): void {
  const uid = Number(cluster.image('taskstream-worker').user?.split(':')[0]);
  const security = { ...pod.securityContext, ...container.securityContext };
  const rule = (holds: boolean, fault: string): void => void (holds || say('pod-security', name, fault));
  rule(security.runAsNonRoot === true, 'may run as root');
  rule(security.runAsUser === uid && security.runAsGroup === uid, `does not run as ${uid}`);
  rule(security.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile');
  rule(container.securityContext?.allowPrivilegeEscalation === false, 'may gain privileges');
  rule(container.securityContext?.readOnlyRootFilesystem === true, 'has a writable root');
  rule(container.securityContext?.capabilities?.drop?.includes('ALL') === true, 'keeps capabilities');
  rule((container.securityContext?.capabilities?.add ?? []).length === 0, 'adds capabilities');
  rule(container.securityContext?.privileged !== true, 'is privileged');
  rule(pod.hostNetwork !== true && pod.hostPID !== true && pod.hostIPC !== true, 'shares the host’s namespaces');
  rule(!(pod.volumes ?? []).some((volume) => volume.hostPath !== undefined), 'mounts a path of the host');
  rule(pod.automountServiceAccountToken === false, 'gets a service account token');
  // Kubernetes would set TASKSTREAM_FRONT_END_PORT and others of the kind, and services refuse keys that they do not know.
  if (pod.enableServiceLinks !== false) say('service-links', name, 'gets variables for every Service');
  rule(container.resources?.requests?.['memory'] !== undefined, 'requests no memory');
  rule(container.resources?.requests?.['cpu'] !== undefined, 'requests no CPU');
  rule(container.resources?.limits?.['memory'] !== undefined, 'has no memory limit');
  rule(container.resources?.limits?.['cpu'] === undefined, 'has a CPU limit: it would be throttled while it drains');
  if (cluster.overlay !== 'local' && !/:[\w.-]*\d+\.\d+\.\d+/.test(container.image ?? '')) {
    say('image', name, `the image ${container.image} is not pinned`);
  }
  if (container.image?.endsWith(':latest') === true) say('image', name, 'the image is `latest`');
}

function lintPlacement({ kind, name, pod, labels, selector }: Workload, say: Say): void {
  if (Object.keys(selector).length === 0 || !isSubset(selector, labels)) {
    say('selector', name, 'does not select its own pods');
  }
  const spread = pod.topologySpreadConstraints ?? [];
  if (spread.length === 0) say('placement', name, 'all replicas may land on one node');
  for (const { labelSelector, matchLabelKeys, topologyKey } of spread) {
    if (!isSubset(labelSelector?.matchLabels ?? { none: '' }, labels)) say('placement', name, `spreads other pods`);
    // Without it the pods of the old revision count, too, and the new ones crowd together.
    if (kind === 'Deployment' && !matchLabelKeys?.includes('pod-template-hash')) {
      say('placement', name, `${topologyKey}: a rollout counts old pods`);
    }
  }
}

function lintBudget(cluster: Cluster, { name, labels }: Workload, say: Say): void {
  const budgets = cluster
    .all('PodDisruptionBudget')
    .filter((one) => isSubset(one.spec?.selector?.matchLabels ?? { none: '' }, labels));
  if (budgets.length !== 1) return say('disruption', name, `has ${budgets.length} disruption budgets`);
  const spec = budgets[0]?.spec;
  if (spec?.maxUnavailable === undefined) say('disruption', name, 'the budget does not scale: use maxUnavailable');
  else if (/^0%?$/.test(String(spec.maxUnavailable))) say('disruption', name, 'no node could ever be drained');
  if (spec?.unhealthyPodEvictionPolicy !== 'AlwaysAllow')
    say('disruption', name, 'a pod that is not ready blocks drains');
}

function lintService(cluster: Cluster, workload: Workload, service: ServiceName, say: Say): void {
  const { name, container, pod } = workload;
  const image = cluster.image(service);
  const ports = new Map((container.ports ?? []).map((port) => [port.name, port.containerPort]));
  const env = { ...image.env, ...cluster.environment(workload) };
  if (String(ports.get('ops')) !== env['TASKSTREAM_OPS_PORT']) say('port', name, 'the port ops is not opsPort');
  if (service === 'taskstream-front-end' && String(ports.get('http')) !== env['TASKSTREAM_PORT']) {
    say('port', name, 'the port http is not the port that the service listens on');
  }
  const PATHS = { startupProbe: OPS_PATHS[0], livenessProbe: OPS_PATHS[0], readinessProbe: OPS_PATHS[1] } as const;
  for (const [probe, path] of Object.entries(PATHS)) {
    const get = container[probe as keyof typeof PATHS]?.httpGet;
    if (get?.port !== 'ops') say('probe', name, `${probe} does not ask the operations port`);
    // A liveness that depends on NATS restarts everything when NATS is away.
    if (get?.path !== path) say('probe', name, `${probe} asks ${String(get?.path)}, not ${path}`);
  }
  const config = service === 'taskstream-front-end' ? cluster.config(service) : cluster.config(service);
  if (typeof config === 'string') return;
  const preStopS = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const neededS = preStopS + config.shutdownMsMax / 1_000 + 10;
  if ((pod.terminationGracePeriodSeconds ?? 30) < neededS) {
    say('grace', name, `terminationGracePeriodSeconds is less than preStop + shutdownMsMax + 10 s = ${neededS}`);
  }
  if (service === 'taskstream-front-end' && preStopS < 3) {
    say('grace', name, 'streams end before endpoints know that the pod leaves');
  }
  const deployment = cluster.find('Deployment', name);
  const { maxSurge, maxUnavailable } = deployment?.spec?.strategy?.rollingUpdate ?? {};
  // A stream that moves has to find only new front ends, so that it moves once.
  const wanted = service === 'taskstream-front-end' ? '100%' : 1;
  if (maxSurge !== wanted || maxUnavailable !== 0) {
    say('rollout', name, `a rollout needs maxSurge ${wanted} and maxUnavailable 0`);
  }
}
