/**
 * Mistakes that people make in manifests, as edits of what an overlay renders to. Each says which check finds it.
 *
 * Invariant: an edit that changes nothing is an error, so that a mutant cannot outlive what it was made for.
 */
import type { KubernetesObject, Overlay } from './render.js';

const GONE = Symbol('gone');

interface Edit {
  readonly name: string;
  readonly overlay: Overlay;
  /** Kind/name; a generated name without its hash. */
  readonly object: string;
  /** Path of keys and indexes, separated by spaces. */
  readonly path: string;
  /** The new value, or a function of the old one. */
  readonly value: unknown;
}

export interface Mutant extends Edit {
  /** `schema`, or a rule of the lint. */
  readonly caughtBy: string;
}

/** A mutant that no check finds, and why that is so. */
export interface Survivor extends Edit {
  readonly why: string;
}

const FRONT = 'Deployment/taskstream-front-end';
const WORKER = 'Deployment/taskstream-worker';
const NATS = 'StatefulSet/nats';
const KEDA = 'ScaledObject/taskstream-worker';
const HPA = 'HorizontalPodAutoscaler/taskstream-front-end';
const ROUTE = 'HTTPRoute/taskstream';
const CONFIG = 'ConfigMap/taskstream';
const CONTAINER = 'spec template spec containers 0';
const TRIGGER = 'spec triggers 1 metadata';
const FORMULA = 'spec advanced scalingModifiers';

function mutant(
  caughtBy: string,
  name: string,
  object: string,
  path: string,
  value: unknown,
  overlay: Overlay = 'prod',
): Mutant {
  return { caughtBy, name, overlay, object, path, value };
}

const conf = (from: string, to: string) => (text: unknown) => String(text).replace(from, to);

export const MUTANTS: readonly Mutant[] = [
  // Fields that the API server would drop in silence, or refuse.
  mutant('schema', 'a misspelt field of a container', FRONT, `${CONTAINER} imagePulPolicy`, 'Always'),
  mutant('schema', 'a field at the wrong depth', WORKER, 'spec terminationGracePeriodSeconds', 35),
  mutant('schema', 'a string for a number', FRONT, 'spec template spec terminationGracePeriodSeconds', '40'),
  mutant('schema', 'a probe with two actions in one word', FRONT, `${CONTAINER} livenessProbe httpget`, {
    port: 'ops',
  }),
  mutant('schema', 'a misspelt field of a budget', 'PodDisruptionBudget/nats', 'spec maxUnavailble', 1),
  mutant('schema', 'a misspelt field of the autoscaler', HPA, 'spec behaviour', {}),
  mutant('schema', 'a misspelt field of a ScaledObject', KEDA, 'spec cooldownPeriodSeconds', 300),
  mutant('schema', 'an unknown fallback', KEDA, 'spec fallback behavior', 'currentReplicasIfMore'),
  mutant('schema', 'a misspelt field of a route', ROUTE, 'spec rules 0 timeout', { request: '0s' }),
  mutant('schema', 'a duration that is none', ROUTE, 'spec rules 0 timeouts request', 'never'),
  mutant('schema', 'a misspelt field of a monitor', 'PodMonitor/taskstream-worker', 'spec podMetricEndpoints', []),
  mutant('schema', 'an old API version', HPA, 'apiVersion', 'autoscaling/v2beta2'),
  mutant('schema', 'a required field left out', FRONT, 'spec selector', GONE),
  // Configuration that a service would refuse at its start.
  mutant('config', 'a misspelt key', CONFIG, 'data TASKSTREAM_SLOT', '10'),
  mutant('config', 'a value of the wrong kind', CONFIG, 'data TASKSTREAM_SHARDS', 'four'),
  mutant(
    'config',
    'a key of a variable with a typing error',
    FRONT,
    `${CONTAINER} env 0 name`,
    'TASKSTREAM_SESION_KEY',
  ),
  mutant('config', 'no session key', FRONT, `${CONTAINER} env`, (env: unknown) => (env as unknown[]).slice(1)),
  mutant('config', 'no authentication', CONFIG, 'data TASKSTREAM_AUTH', 'none'),
  mutant('config', 'an issuer that is missing', CONFIG, 'data TASKSTREAM_JWT_ISSUER', GONE),
  mutant('config', 'NATS by a name that is no service', CONFIG, 'data TASKSTREAM_NATS_URL', 'nats://nats-client:4222'),
  mutant('config', 'NATS by the headless service', CONFIG, 'data TASKSTREAM_NATS_URL', 'nats://nats-headless:4222'),
  mutant('config', 'more replicas than nodes', CONFIG, 'data TASKSTREAM_REPLICAS', '5'),
  mutant('config', 'one copy of the log', CONFIG, 'data TASKSTREAM_REPLICAS', '1'),
  mutant('config', 'a host name that front ends refuse', CONFIG, 'data TASKSTREAM_ALLOWED_HOSTS', 'tasks.example.org'),
  mutant('config', 'a drain that does not fit', CONFIG, 'data TASKSTREAM_DRAIN_MS_MAX', '24000'),
  mutant('secret', 'a token in a ConfigMap', CONFIG, 'data TASKSTREAM_NATS_TOKEN', 'token'),
  // Names that lead nowhere.
  mutant(
    'reference',
    'a ConfigMap that is not there',
    WORKER,
    `${CONTAINER} envFrom 0 configMapRef name`,
    'taskstream-settings',
  ),
  mutant(
    'reference',
    'a key that the Secret does not have',
    FRONT,
    `${CONTAINER} env 0 valueFrom secretKeyRef key`,
    'sessionKey',
  ),
  mutant('reference', 'a route to another port', ROUTE, 'spec rules 0 backendRefs 0 port', 3000),
  mutant('reference', 'a route of another gateway', ROUTE, 'spec parentRefs 0 name', 'gateway'),
  mutant('selector', 'a Service that selects nothing', 'Service/taskstream-front-end', 'spec selector', {
    app: 'front-end',
  }),
  mutant(
    'port',
    'a Service with another target port',
    'Service/taskstream-front-end',
    'spec ports 0 targetPort',
    'https',
  ),
  mutant('port', 'a port that nobody listens on', FRONT, `${CONTAINER} ports 0 containerPort`, 8080),
  mutant(
    'monitor',
    'a monitor of the wrong port',
    'PodMonitor/taskstream-front-end',
    'spec podMetricsEndpoints 0 port',
    'http',
  ),
  mutant('namespace', 'an object in another namespace', 'Service/nats', 'metadata namespace', 'default'),
  mutant('service-links', 'variables for every Service', WORKER, 'spec template spec enableServiceLinks', GONE),
  // Shutdown, rollout and placement.
  mutant('grace', 'the default grace', FRONT, 'spec template spec terminationGracePeriodSeconds', GONE),
  mutant('grace', 'a drain longer than the grace', CONFIG, 'data TASKSTREAM_SHUTDOWN_MS_MAX', '30000'),
  mutant('grace', 'no preStop', FRONT, `${CONTAINER} lifecycle`, GONE),
  mutant('rollout', 'pods taken before there are new ones', FRONT, 'spec strategy rollingUpdate maxUnavailable', 1),
  mutant('rollout', 'front ends one by one', FRONT, 'spec strategy rollingUpdate maxSurge', 1),
  mutant('probe', 'liveness by readiness', FRONT, `${CONTAINER} livenessProbe httpGet path`, '/readyz'),
  mutant('probe', 'readiness on the main port', FRONT, `${CONTAINER} readinessProbe httpGet port`, 'http'),
  mutant('placement', 'no spread', WORKER, 'spec template spec topologySpreadConstraints', GONE),
  mutant(
    'placement',
    'a spread that counts old pods',
    FRONT,
    'spec template spec topologySpreadConstraints 0 matchLabelKeys',
    GONE,
  ),
  mutant(
    'disruption',
    'a budget that blocks drains',
    'PodDisruptionBudget/taskstream-front-end',
    'spec maxUnavailable',
    0,
  ),
  mutant(
    'disruption',
    'a budget that holds broken pods',
    'PodDisruptionBudget/taskstream-worker',
    'spec unhealthyPodEvictionPolicy',
    GONE,
  ),
  mutant('affinity', 'session affinity', 'Service/taskstream-front-end', 'spec sessionAffinity', 'ClientIP'),
  mutant('timeout', 'the request timeout of proxies', ROUTE, 'spec rules 0 timeouts request', '15s'),
  // Pod security.
  mutant('pod-security', 'root', WORKER, 'spec template spec securityContext runAsUser', 0),
  mutant('pod-security', 'a writable root', FRONT, `${CONTAINER} securityContext readOnlyRootFilesystem`, false),
  mutant('pod-security', 'capabilities kept', NATS, `${CONTAINER} securityContext capabilities`, GONE),
  mutant('pod-security', 'a service account token', FRONT, 'spec template spec automountServiceAccountToken', GONE),
  mutant('pod-security', 'a namespace without the profile', 'Namespace/taskstream', 'metadata labels', {}),
  mutant('pod-security', 'no memory limit', WORKER, `${CONTAINER} resources limits`, GONE),
  mutant('image', 'an image without a version', WORKER, `${CONTAINER} image`, 'registry.example.com/taskstream-worker'),
  // NATS.
  mutant('nats', 'nodes one after the other', NATS, 'spec podManagementPolicy', 'OrderedReady'),
  mutant('nats', 'nodes hidden until ready', 'Service/nats-headless', 'spec publishNotReadyAddresses', GONE),
  mutant('nats', 'two nodes', NATS, 'spec replicas', 2),
  mutant('nats', 'a fourth node without a route', NATS, 'spec replicas', 5),
  mutant(
    'nats',
    'acks before the disk',
    'ConfigMap/nats',
    'data nats.conf',
    conf('sync_interval: always', 'sync_interval: 2m'),
  ),
  mutant(
    'nats',
    'addresses of pods told to clients',
    'ConfigMap/nats',
    'data nats.conf',
    conf('no_advertise: true', 'no_advertise: false'),
  ),
  mutant(
    'nats',
    'NATS open to everybody',
    'ConfigMap/nats',
    'data nats.conf',
    conf('authorization { token: $TASKSTREAM_NATS_TOKEN }', ''),
  ),
  mutant(
    'nats',
    'a variable that is not set',
    'ConfigMap/nats',
    'data nats.conf',
    conf('$MAX_FILE_STORE', '$FILE_STORE'),
  ),
  mutant('nats', 'a version with known faults', NATS, `${CONTAINER} image`, 'nats:2.14.2-alpine'),
  mutant('nats', 'restarted for want of a quorum', NATS, `${CONTAINER} livenessProbe httpGet path`, '/healthz'),
  mutant('nats', 'no lame duck mode', NATS, `${CONTAINER} lifecycle`, GONE),
  mutant('nats', 'killed in lame duck mode', NATS, 'spec template spec terminationGracePeriodSeconds', 30),
  mutant('nats', 'memory up to the limit', NATS, `${CONTAINER} resources limits memory`, '2Gi'),
  mutant('nats', 'streams that do not fit the disk', CONFIG, 'data TASKSTREAM_SHARDS', '8'),
  mutant(
    'nats',
    'a disk smaller than the store',
    NATS,
    'spec volumeClaimTemplates 0 spec resources requests storage',
    '40Gi',
  ),
  mutant('nats', 'two nodes drained at a time', 'PodDisruptionBudget/nats', 'spec maxUnavailable', 2),
  // Autoscalers.
  mutant('scaling', 'replicas beside an autoscaler', WORKER, 'spec replicas', 3),
  mutant('scaling', 'an autoscaler of nothing', HPA, 'spec scaleTargetRef name', 'front-end'),
  mutant('scaling', 'two autoscalers for one', KEDA, 'spec scaleTargetRef name', 'taskstream-front-end'),
  mutant('scaling', 'one front end', FRONT, 'spec replicas', 1, 'local'),
  mutant(
    'keda',
    'the endpoint of the client service',
    KEDA,
    `${TRIGGER} natsServerMonitoringEndpoint`,
    'nats.taskstream.svc.cluster.local:8222',
  ),
  mutant('keda', 'a short name of the endpoint', KEDA, `${TRIGGER} natsServerMonitoringEndpoint`, 'nats-headless:8222'),
  mutant('keda', 'another stream', KEDA, `${TRIGGER} stream`, 'TASKS'),
  mutant('keda', 'another consumer', KEDA, `${TRIGGER} consumer`, 'default'),
  mutant('keda', 'a line counted twice', KEDA, `${TRIGGER} consumer`, 'FIRST_default'),
  mutant('keda', 'a line left out of the sum', KEDA, `${FORMULA} formula`, 'line_first + line_queue + line_last'),
  mutant('keda', 'the longest line instead of the sum', KEDA, FORMULA, GONE),
  mutant('keda', 'a first task that waits for others', KEDA, `${FORMULA} activationTarget`, '5'),
  mutant('schema', 'a misspelt field of the formula', KEDA, `${FORMULA} activationThreshold`, '0'),
  mutant('keda', 'a misspelt key', KEDA, `${TRIGGER} lagTreshold`, '10'),
  mutant('keda', 'a threshold that is not the slots', CONFIG, 'data TASKSTREAM_SLOTS', '20'),
  mutant('keda', 'an account that is not there', KEDA, `${TRIGGER} account`, 'APP'),
  mutant('keda', 'workers taken away blindly', KEDA, 'spec fallback behavior', 'static'),
  mutant('keda', 'none left in production', KEDA, 'spec minReplicaCount', 0),
  mutant('keda', 'workers that stay', KEDA, 'spec minReplicaCount', 1, 'scale-to-zero'),
  mutant('hpa', 'a metric that nobody has', HPA, 'spec metrics 0 pods metric name', 'taskstream_streams_open'),
  mutant('hpa', 'scales when streams are refused already', HPA, 'spec metrics 0 pods target averageValue', '50000'),
  mutant('hpa', 'streams that do not fit the memory', FRONT, `${CONTAINER} resources limits memory`, '512Mi'),
  mutant('hpa', 'fast scale-down', HPA, 'spec behavior scaleDown stabilizationWindowSeconds', 0),
];

function survivor(name: string, object: string, path: string, value: unknown, why: string): Survivor {
  return { name, overlay: 'prod', object, path, value, why };
}

export const SURVIVORS: readonly Survivor[] = [
  survivor(
    'an image that is in no registry',
    FRONT,
    `${CONTAINER} image`,
    'registry.example.com/front-end:0.1.0',
    'nothing here knows what a registry holds',
  ),
  survivor(
    'another gateway class',
    'Gateway/taskstream',
    'spec gatewayClassName',
    'envoy',
    'which classes there are is a fact of the cluster',
  ),
  survivor(
    'an issuer that nobody runs',
    CONFIG,
    'data TASKSTREAM_JWT_ISSUER',
    'https://issuer.example.org',
    'a URL that is valid and wrong',
  ),
  survivor(
    'too little CPU',
    FRONT,
    `${CONTAINER} resources requests cpu`,
    '5m',
    'what is enough depends on the load; docs/capacity.md',
  ),
  survivor(
    'a disk class that is not there',
    NATS,
    'spec volumeClaimTemplates 0 spec storageClassName',
    'fast',
    'a fact of the cluster',
  ),
];

/** The objects with the edit. Throws when it finds nothing to change. */
export function applyEdit(objects: readonly KubernetesObject[], edit: Edit): KubernetesObject[] {
  const copy = structuredClone(objects) as KubernetesObject[];
  const target = copy.find((object) => matches(object, edit.object));
  if (target === undefined) throw new Error(`${edit.name}: there is no ${edit.object}`);
  const keys = edit.path.split(' ');
  const last = keys.pop() ?? '';
  let at = target as unknown as Record<string, unknown>;
  for (const key of keys) at = at[key] as Record<string, unknown>;
  const before = at[last];
  const after = typeof edit.value === 'function' ? (edit.value as (old: unknown) => unknown)(before) : edit.value;
  if (after === GONE) delete at[last];
  else at[last] = after;
  if (JSON.stringify(before) === JSON.stringify(at[last])) throw new Error(`${edit.name}: changes nothing`);
  return copy;
}

function matches({ kind, metadata }: KubernetesObject, wanted: string): boolean {
  const [wantedKind, name = ''] = wanted.split('/');
  return kind === wantedKind && metadata.name.replace(/-(?=[a-z0-9]*\d)[a-z0-9]{10}$/, '') === name;
}
