/**
 * The Dockerfile as data: stages, what an image of a stage would be, and the rules that it must keep.
 *
 * Invariant: rules look at the image that results, with what its stage inherits, not at single lines.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { DockerfileParser, Healthcheck, type Instruction, type JSONInstruction } from 'dockerfile-ast';

export const TARGETS = ['front-end', 'worker', 'cli'] as const;
export type Target = (typeof TARGETS)[number];

export interface Step {
  readonly keyword: string;
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string>>;
  /** The JSON form of CMD, ENTRYPOINT and HEALTHCHECK; absent for the shell form. */
  readonly exec: readonly string[] | undefined;
  /** What follows the keyword, lines joined. */
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly steps: readonly Step[];
}

export interface Image {
  readonly base: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly exposed: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  readonly healthcheck: readonly string[] | 'NONE' | undefined;
  /** Steps that add files or run something, from the base on. */
  readonly steps: readonly Step[];
}

export function parseStages(text: string): Stage[] {
  const variables = new Map<string, string>();
  const stages: Array<{ name: string; from: string; steps: Step[] }> = [];
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const step = stepOf(instruction);
    if (step.keyword === 'ARG' && stages.length === 0) {
      const [name = '', value = ''] = step.text.split(/=(.*)/s);
      variables.set(name, value);
    } else if (step.keyword === 'FROM') {
      const [from = '', , name = ''] = step.words;
      stages.push({
        name,
        from: from.replaceAll(/\$\{(\w+)\}/g, (_, key: string) => variables.get(key) ?? ''),
        steps: [],
      });
    } else stages.at(-1)?.steps.push(step);
  }
  return stages;
}

function stepOf(instruction: Instruction): Step {
  const keyword = instruction.getKeyword();
  const raw = instruction.getArgumentsContent() ?? '';
  const joined = raw.replaceAll(/\\\r?\n\s*/g, '');
  const flags = Object.fromEntries(
    'getFlags' in instruction
      ? (instruction as JSONInstruction).getFlags().map((flag) => [flag.getName(), flag.getValue() ?? ''])
      : [],
  );
  const command = instruction instanceof Healthcheck ? joined.replace(/^.*?\bCMD\s+/s, '') : joined;
  return {
    keyword,
    words: instruction.getArguments().map((argument) => argument.getValue()),
    flags,
    exec: execForm(command),
    text: joined.replace(/^(?:--\S+\s+)+/, ''),
  };
}

function execForm(text: string): readonly string[] | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  const parsed: unknown = JSON.parse(text);
  return Array.isArray(parsed) && parsed.every((one) => typeof one === 'string') ? parsed : undefined;
}

/** What building `target` gives. Throws when there is no such stage. */
export function imageOf(stages: readonly Stage[], target: string): Image {
  const stage = stages.find((one) => one.name === target);
  if (stage === undefined) throw new Error(`The Dockerfile has no stage ${target}`);
  const parent = stages.some((one) => one.name === stage.from)
    ? imageOf(stages, stage.from)
    : {
        base: stage.from,
        env: {},
        user: undefined,
        exposed: [],
        entrypoint: undefined,
        cmd: undefined,
        healthcheck: undefined,
        steps: [],
      };
  let image: Image = parent;
  for (const step of stage.steps) image = applyStep(image, step);
  return image;
}

function applyStep(image: Image, step: Step): Image {
  switch (step.keyword) {
    case 'ENV':
      return {
        ...image,
        env: { ...image.env, ...Object.fromEntries(step.words.map((word) => word.split(/=(.*)/s).slice(0, 2))) },
      };
    case 'USER':
      return { ...image, user: step.words[0] };
    case 'EXPOSE':
      return { ...image, exposed: [...image.exposed, ...step.words] };
    case 'ENTRYPOINT':
      return { ...image, entrypoint: step.exec };
    case 'CMD':
      return { ...image, cmd: step.exec };
    case 'HEALTHCHECK':
      return { ...image, healthcheck: step.words[0] === 'NONE' ? 'NONE' : step.exec };
    default:
      return { ...image, steps: [...image.steps, step] };
  }
}

export interface Facts {
  /** Directory that is the build's context. */
  readonly context: string;
  /** Names in the environment that a service accepts. */
  readonly envNames: Readonly<Record<Target, readonly string[]>>;
}

const PINNED = /^[\w./-]+:\d+\.\d+\.\d+[\w.-]*(?:@sha256:[0-9a-f]{64})?$/;

/** Every rule that the Dockerfile breaks, in words. */
export function dockerfileFaults(text: string, facts: Facts): string[] {
  const faults: string[] = [];
  const stages = parseStages(text);
  for (const stage of stages) {
    if (!stages.some((one) => one.name === stage.from) && !PINNED.test(stage.from)) {
      faults.push(`${stage.name}: the base ${stage.from} is not pinned to a full version`);
    }
    for (const step of stage.steps) faults.push(...stepFaults(stage.name, step, facts));
  }
  for (const target of TARGETS) faults.push(...imageFaults(target, imageOf(stages, target), stages, facts));
  return faults;
}

function stepFaults(stage: string, step: Step, facts: Facts): string[] {
  const faults: string[] = [];
  if (step.keyword === 'ADD') faults.push(`${stage}: ADD fetches and unpacks; use COPY`);
  if (step.keyword === 'RUN') {
    if (/\bnpm (?:i|install)\b/.test(step.text)) faults.push(`${stage}: npm install may change versions; use npm ci`);
    if (/\b(?:curl|wget)\b/.test(step.text)) faults.push(`${stage}: downloads past the lock file`);
    for (const [, name] of step.text.matchAll(/--no-install-recommends ((?:[^\s&]+ ?)+)/g)) {
      for (const aptPackage of (name ?? '').trim().split(' ')) {
        if (!aptPackage.includes('=')) faults.push(`${stage}: the Debian package ${aptPackage} has no version`);
      }
    }
  }
  if (step.keyword === 'COPY' && step.flags['from'] === undefined) {
    for (const source of step.words.slice(0, -1)) {
      if (source === '.') faults.push(`${stage}: copies the whole context`);
      else if (!existsSync(path.join(facts.context, source)))
        faults.push(`${stage}: copies ${source}, which is not there`);
    }
  }
  return faults;
}

function imageFaults(target: Target, image: Image, stages: readonly Stage[], facts: Facts): string[] {
  const faults: string[] = [];
  const say = (fault: string): void => void faults.push(`${target}: ${fault}`);
  if (image.user !== '65532:65532') say(`runs as ${image.user ?? 'root'}, not as 65532:65532`);
  if (image.entrypoint?.[0] !== '/usr/bin/tini') say('process 1 is not tini, or ENTRYPOINT has the shell form');
  if (image.cmd === undefined) say('CMD is missing or has the shell form');
  if (image.env['NODE_ENV'] !== 'production') say('NODE_ENV is not production');
  if (target === 'cli' ? image.healthcheck !== 'NONE' : !Array.isArray(image.healthcheck)) {
    say('the health check is missing or has the shell form');
  }
  if (Array.isArray(image.healthcheck)) {
    if (image.healthcheck[0] !== 'node') say('the health check uses a program that the image may not have');
    if (!image.healthcheck.join(' ').includes('/livez')) say('the health check does not ask /livez');
  }
  for (const name of Object.keys(image.env)) {
    if (name.startsWith('TASKSTREAM_') && !facts.envNames[target].includes(name)) say(`sets ${name}, an unknown key`);
    if (/TOKEN|KEY|SECRET|PASSWORD/.test(name)) say(`carries the secret ${name}`);
  }
  for (const [name, value] of Object.entries(image.env)) {
    if (/^TASKSTREAM_(?:OPS_)?PORT$/.test(name) && !image.exposed.includes(value)) say(`does not expose ${name}`);
  }
  const main = [...(image.entrypoint ?? []), ...(image.cmd ?? [])].find((word) => word.startsWith('services/'));
  if (main === undefined || !existsSync(path.join(facts.context, main)))
    say(`starts ${main ?? 'nothing'}, which is not built`);
  const tree = image.steps.find((step) => step.flags['from'] !== undefined)?.flags['from'];
  const installs = imageOf(stages, tree ?? target).steps.filter((step) => /\bnpm ci\b/.test(step.text));
  if (!/--omit=dev/.test(installs.at(-1)?.text ?? '')) say('carries development dependencies');
  if (image.steps.some((step) => step.keyword === 'COPY' && step.flags['from'] === undefined)) {
    say('copies from the context into the final image');
  }
  return faults;
}
