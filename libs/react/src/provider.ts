/** The client that the hooks below it use. */
import type { TaskClient, TaskHandle } from '@taskstream/client';
import { createContext, createElement, useContext, useMemo, type ReactElement, type ReactNode } from 'react';

const Client = createContext<TaskClient | undefined>(undefined);

/** Gives the hooks below it their client. Make the client once, outside of components or in `useState`. */
export function TaskClientProvider(props: {
  readonly client: TaskClient;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(Client, { value: props.client }, props.children);
}

/** @throws Error outside of a `TaskClientProvider` */
export function useTaskClient(): TaskClient {
  const client = useContext(Client);
  if (client === undefined)
    throw new Error('No task client: put a <TaskClientProvider client={…}> around this component');
  return client;
}

/** The handle of a task that is named by its id, or is one. */
export function useHandle(task: string | TaskHandle): TaskHandle {
  const client = useContext(Client);
  return useMemo(() => {
    if (typeof task !== 'string') return task;
    if (client !== undefined) return client.task(task);
    throw new Error('No task client: put a <TaskClientProvider client={…}> around this component, or pass a handle');
  }, [client, task]);
}
