/**
 * One server instance for one request, as the SDK wants it.
 *
 * Invariant: an instance holds nothing of a client; everything it needs comes with the request.
 */
import type { McpRequestContext, ServerCapabilities } from '@modelcontextprotocol/server';
import { STEERING_EXTENSION, STREAMS_EXTENSION, TASKS_EXTENSION } from '@taskstream/protocol';
import { AuthExtra, knowsTasks2025 } from './call-context.js';
import type { McpParts } from './parts.js';
import { registerDelete } from './delete-task.js';
import { registerTasks } from './tasks.js';
import { TaskServer } from './task-server.js';
import { registerTools, type Era } from './tools.js';

const MODERN: ServerCapabilities = {
  tools: { listChanged: true },
  // Exactly `{}`: any key inside makes the official tasks client see no tasks here.
  extensions: { [TASKS_EXTENSION]: {}, [STREAMS_EXTENSION]: {}, [STEERING_EXTENSION]: {} },
};
/** Undeclared on purpose: `tasks.list`, which would have to list whatever `tasks/get` returns. */
const LEGACY_WITH_TASKS: ServerCapabilities = {
  tools: {},
  tasks: {
    cancel: {},
    requests: { tools: { call: {} } },
    eventStreams: {},
  },
  // A revision without extensions: what is not standard is experimental there.
  experimental: { [STEERING_EXTENSION]: {} },
};
const LEGACY: ServerCapabilities = { tools: {} };

export function serverFactory(parts: McpParts): (context: McpRequestContext) => TaskServer {
  return (context) => {
    const era = eraOf(context);
    const server = new TaskServer(
      { ...parts.serverInfo },
      {
        capabilities: era.name === 'modern' ? MODERN : era.hasTasks ? LEGACY_WITH_TASKS : LEGACY,
        cacheHints: {
          'server/discover': { ttlMs: 60_000, cacheScope: 'private' },
          'tools/list': { ttlMs: 5_000, cacheScope: 'private' },
        },
      },
    );
    registerTools(server, parts, era);
    if (era.hasTasks) {
      registerTasks(server, parts, era);
      registerDelete(server, parts, era);
    }
    return server;
  };
}

function eraOf(context: McpRequestContext): Era {
  if (context.era === 'modern') return { name: 'modern', hasTasks: true };
  const extra = AuthExtra.safeParse(context.authInfo?.extra);
  return { name: 'legacy', hasTasks: extra.success && knowsTasks2025(extra.data.protocolVersion) };
}
