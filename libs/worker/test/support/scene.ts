/**
 * One attempt over the ports in memory: a task, its item, a tool, and what the worker told.
 */
import type { ClaimedItem, TaskSpec } from '@taskstream/core';
import * as z from 'zod';
import { AttemptRun } from '../../src/attempt-run.js';
import { defineTool, type Task, type Tool, type ToolOptions } from '../../src/define-tool.js';
import type { ToolResult } from '../../src/tool-result.js';
import type { WorkerOptions } from '../../src/worker-options.js';
import { FakeTask, itemOf, OPTIONS, recordingObserver, specOf } from './fakes.js';

export type Body = (task: Task) => Promise<ToolResult | string> | ToolResult | string;

export function toolOf(run: Body, options: Partial<ToolOptions<z.ZodObject, z.ZodObject>> = {}): Tool {
  return defineTool({
    name: 'tool',
    description: 'A tool',
    inputSchema: z.object({}),
    ...options,
    run: (_input, task) => run(task),
  });
}

export interface Scene {
  readonly task: FakeTask;
  readonly item: ReturnType<typeof itemOf>;
  readonly run: AttemptRun;
  readonly told: ReturnType<typeof recordingObserver>['told'];
  /** Names of what was told. */
  readonly names: () => string[];
}

export function scene(
  tool: Tool | Body,
  parts: {
    task?: FakeTask;
    spec?: Partial<TaskSpec>;
    item?: Partial<ClaimedItem>;
    options?: Partial<WorkerOptions>;
  } = {},
): Scene {
  const task = parts.task ?? new FakeTask(specOf(parts.spec));
  const item = itemOf(task, parts.item);
  const { observer, told } = recordingObserver();
  const made = typeof tool === 'function' ? toolOf(tool) : tool;
  const run = new AttemptRun(item, task, new Map([['tool', made]]), { ...OPTIONS, ...parts.options }, observer);
  return { task, item, run, told, names: () => told.map((t) => t.what) };
}

export const never: Body = () => new Promise(() => undefined);
export const obedient: Body = (task) =>
  new Promise((_resolve, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason as Error)));
