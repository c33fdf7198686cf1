/**
 * The SDK's low-level server, with task results passed through unchanged.
 *
 * Invariant: only a result that is a `CreateTaskResult` of either era goes around the SDK's check of tool results.
 */
import { Server, type JSONRPCRequest, type Result, type ServerContext } from '@modelcontextprotocol/server';

type Handler = (request: JSONRPCRequest, context: ServerContext) => Promise<Result>;

export class TaskServer extends Server {
  protected override _wrapHandler(method: string, handler: Handler): Handler {
    if (method !== 'tools/call') return super._wrapHandler(method, handler);
    return async (request, context) => {
      let task: Result | undefined;
      const checked = super._wrapHandler(method, async (r, c) => {
        const result = await handler(r, c);
        if (!isTaskResult(result)) return result;
        task = result;
        return { content: [] };
      });
      const result = await checked(request, context);
      return task ?? result;
    };
  }
}

function isTaskResult(result: Result): boolean {
  return result['resultType'] === 'task' || (result['task'] !== undefined && result['content'] === undefined);
}
