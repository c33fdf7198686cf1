/**
 * One server instance for one request, as the SDK wants it.
 *
 * Invariant: an instance holds nothing of a client; everything it needs comes with the request.
 */
import type { McpRequestContext, ServerCapabilities } from '@modelcontextprotocol/server';
import { STREAMS_EXTENSION, TASKS_EXTENSION } from '@taskstream/protocol';
import type { McpParts } from './parts.js';
import { registerTasks } from './tasks.js';
import { TaskServer } from './task-server.js';
import { registerTools } from './tools.js';

const CAPABILITIES = {
  tools: { listChanged: true },
  // Exactly `{}`: any key inside makes the official tasks client see no tasks here.
  extensions: { [TASKS_EXTENSION]: {}, [STREAMS_EXTENSION]: {} },
} satisfies ServerCapabilities;

export function serverFactory(parts: McpParts): (context: McpRequestContext) => TaskServer {
  return () => {
    const server = new TaskServer(
      { ...parts.serverInfo },
      {
        capabilities: CAPABILITIES,
        cacheHints: {
          'server/discover': { ttlMs: 60_000, cacheScope: 'private' },
          'tools/list': { ttlMs: 5_000, cacheScope: 'private' },
        },
      },
    );
    registerTools(server, parts);
    registerTasks(server, parts);
    return server;
  };
}
