/**
 * The objects of one overlay with what a lint asks of them again and again.
 */
import { loadConfig, ServiceError } from '@taskstream/service-host';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import type { IDeployment, IStatefulSet } from 'kubernetes-models/apps/v1';
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import type { IConfigMap, IContainer, IPodSpec, ISecret, IService } from 'kubernetes-models/v1';
import type { IGateway, IHTTPRoute } from '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1';
import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import type { IPodMonitor, IPrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
import { FrontEndConfig, OTHER_KEYS as FRONT_END_OTHER_KEYS } from '../../services/front-end/src/config.js';
import { OTHER_KEYS as WORKER_OTHER_KEYS, WorkerConfig } from '../../services/worker/src/config.js';
import { imageOf, type Image, type Stage } from '../deploy/dockerfile.js';
import type { KubernetesObject, Overlay } from './render.js';

interface Kinds {
  ConfigMap: IConfigMap;
  Secret: ISecret;
  Service: IService;
  Deployment: IDeployment;
  StatefulSet: IStatefulSet;
  PodDisruptionBudget: IPodDisruptionBudget;
  HorizontalPodAutoscaler: IHorizontalPodAutoscaler;
  ScaledObject: IScaledObject & {
    spec?: {
      fallback?: { behavior?: string };
      advanced?: { scalingModifiers?: { formula?: string; target?: string; activationTarget?: string } };
    };
  };
  Gateway: IGateway;
  HTTPRoute: IHTTPRoute;
  PodMonitor: IPodMonitor;
  PrometheusRule: IPrometheusRule;
}

export type Labels = Readonly<Record<string, string>>;

export interface Workload {
  readonly kind: 'Deployment' | 'StatefulSet';
  readonly name: string;
  readonly replicas: number | undefined;
  readonly selector: Labels;
  readonly labels: Labels;
  readonly pod: IPodSpec;
  readonly container: IContainer;
}

/** Secrets that a person makes, and their keys: README.md tells how. */
export const MADE_BY_HAND: Readonly<Record<Overlay, Readonly<Record<string, readonly string[]>>>> = {
  local: {},
  prod: { taskstream: ['session-key', 'nats-token'], 'taskstream-tls': ['tls.crt', 'tls.key'] },
  'scale-to-zero': { taskstream: ['session-key', 'nats-token'], 'taskstream-tls': ['tls.crt', 'tls.key'] },
};

/** What a secret may hold, by its key, so that the service's own schema can look at it. */
const SECRET_VALUES: Labels = {
  'session-key': 'x'.repeat(64),
  'static-tokens': 'me:a-token-of-20-letters',
  'nats-token': 'token',
};

export const SERVICES = {
  'taskstream-front-end': { target: 'front-end', schema: FrontEndConfig, otherKeys: FRONT_END_OTHER_KEYS },
  'taskstream-worker': { target: 'worker', schema: WorkerConfig, otherKeys: WORKER_OTHER_KEYS },
} as const;
export type ServiceName = keyof typeof SERVICES;

export class Cluster {
  readonly overlay: Overlay;
  readonly objects: readonly KubernetesObject[];
  readonly #stages: readonly Stage[];
  readonly #configs = new Map<ServiceName, FrontEndConfig | WorkerConfig | string>();

  constructor(overlay: Overlay, objects: readonly KubernetesObject[], stages: readonly Stage[]) {
    this.overlay = overlay;
    this.objects = objects;
    this.#stages = stages;
  }

  all<K extends keyof Kinds>(kind: K): Kinds[K][] {
    return this.objects.filter((object) => object.kind === kind) as unknown as Kinds[K][];
  }

  find<K extends keyof Kinds>(kind: K, name: string | undefined): Kinds[K] | undefined {
    return this.all(kind).find((object) => object.metadata?.name === name);
  }

  get workloads(): Workload[] {
    return [...this.all('Deployment'), ...this.all('StatefulSet')].map((object) => {
      const pod = object.spec?.template.spec;
      const container = pod?.containers[0];
      if (pod === undefined || container === undefined) throw new Error(`${object.kind} without a container`);
      return {
        kind: object.kind,
        name: object.metadata?.name ?? '',
        replicas: object.spec?.replicas,
        selector: object.spec?.selector.matchLabels ?? {},
        labels: object.spec?.template.metadata?.labels ?? {},
        pod,
        container,
      };
    });
  }

  workload(name: string | undefined): Workload | undefined {
    return this.workloads.find((one) => one.name === name);
  }

  selected(labels: Labels | undefined): Workload[] {
    const wanted = Object.entries(labels ?? {});
    if (wanted.length === 0) return [];
    return this.workloads.filter((one) => wanted.every(([key, value]) => one.labels[key] === value));
  }

  /** Keys of a ConfigMap or Secret, also of one that a person makes; undefined when there is none. */
  keysOf(kind: 'ConfigMap' | 'Secret', name: string | undefined): readonly string[] | undefined {
    const object = this.find(kind, name);
    if (object !== undefined) {
      return Object.keys({ ...object.data, ...(object.kind === 'Secret' ? object.stringData : {}) });
    }
    return kind === 'Secret' ? MADE_BY_HAND[this.overlay][name ?? ''] : undefined;
  }

  image(service: ServiceName): Image {
    return imageOf(this.#stages, SERVICES[service].target);
  }

  /** The environment that a container gets, with stand-ins for secrets. */
  environment(workload: Workload): Record<string, string> {
    const env: Record<string, string> = {};
    for (const { configMapRef } of workload.container.envFrom ?? []) {
      Object.assign(env, this.find('ConfigMap', configMapRef?.name)?.data);
    }
    for (const { name, value, valueFrom } of workload.container.env ?? []) {
      if (value !== undefined) env[name] = value;
      else if (valueFrom?.secretKeyRef !== undefined) env[name] = this.#secret(valueFrom.secretKeyRef);
    }
    return env;
  }

  #secret({ name, key }: { name?: string; key: string }): string {
    const data = this.find('Secret', name)?.data?.[key];
    return data === undefined ? (SECRET_VALUES[key] ?? '') : Buffer.from(data, 'base64').toString();
  }

  /** The configuration as the service itself would load it, or what it would say. */
  config(service: 'taskstream-front-end'): FrontEndConfig | string;
  config(service: 'taskstream-worker'): WorkerConfig | string;
  config(service: ServiceName): FrontEndConfig | WorkerConfig | string {
    const loaded = this.#configs.get(service) ?? this.#load(service);
    this.#configs.set(service, loaded);
    return loaded;
  }

  #load(service: ServiceName): FrontEndConfig | WorkerConfig | string {
    const workload = this.workload(service);
    if (workload === undefined) return `there is no workload ${service}`;
    const { schema, otherKeys } = SERVICES[service];
    const env = { ...this.image(service).env, ...this.environment(workload) };
    try {
      const loaded = loadConfig<typeof FrontEndConfig | typeof WorkerConfig>(schema, { name: service, env, otherKeys });
      return loaded.type === 'config' ? loaded.config : loaded.text;
    } catch (error) {
      if (error instanceof ServiceError) return error.message;
      throw error;
    }
  }
}

/** `1Gi`, `45GB`, `512Mi` → bytes. */
export function bytesOf(quantity: string | number | undefined): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B?)?$/.exec(String(quantity ?? '')) ?? [];
  if (number === undefined) return Number.NaN;
  const base = unit.includes('i') ? 1024 : 1000;
  return Number(number) * base ** (unit === '' ? 0 : 'KMGT'.indexOf(unit.charAt(0)) + 1);
}

export function isSubset(part: Labels, whole: Labels): boolean {
  return Object.entries(part).every(([key, value]) => whole[key] === value);
}
