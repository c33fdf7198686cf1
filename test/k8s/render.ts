/**
 * What `kubectl kustomize` makes of an overlay, as objects.
 */
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import * as z from 'zod';
import { runProgram } from '../support/system-binary.js';

export const OVERLAYS = ['local', 'prod', 'scale-to-zero'] as const;
export type Overlay = (typeof OVERLAYS)[number];

const KubernetesObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
});
export type KubernetesObject = z.infer<typeof KubernetesObject>;

const K8S = fileURLToPath(new URL('../../k8s/', import.meta.url));

export async function render(kubectl: string, overlay: Overlay): Promise<KubernetesObject[]> {
  const text = await runProgram(kubectl, ['kustomize', `${K8S}overlays/${overlay}`]);
  return parseObjects(text);
}

export function parseObjects(text: string): KubernetesObject[] {
  const objects = parseAllDocuments(text).map((document) => KubernetesObject.parse(document.toJS()));
  if (objects.length === 0) throw new Error('nothing was rendered');
  return objects;
}

export function nameOf(object: KubernetesObject): string {
  return `${object.kind}/${object.metadata.name}`;
}
