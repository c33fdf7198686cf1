/**
 * One request of revision 2025-11-25 or older through the SDK: a server and a transport for it alone, and a JSON answer.
 * The SDK's own stateless fallback answers everything as an event stream; who polls `tasks/get` asked for none.
 * 2025-11-25 tasks §Input Required Status.
 *
 * Invariants: nothing of a client outlives its request; only requests whose answer is a single message come here.
 */
import {
  WebStandardStreamableHTTPServerTransport,
  type AuthInfo,
  type McpRequestContext,
  type Server,
} from '@modelcontextprotocol/server';

type Factory = (context: McpRequestContext) => Server;

export interface ExchangeOptions {
  readonly authInfo?: AuthInfo;
  readonly parsedBody?: unknown;
}

export function sdkExchange(factory: Factory): (request: Request, options?: ExchangeOptions) => Promise<Response> {
  return async (request, options = {}) => {
    const { authInfo, parsedBody } = options;
    const server = factory({ era: 'legacy', requestInfo: request, ...(authInfo !== undefined && { authInfo }) });
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    const end = () => void Promise.allSettled([transport.close(), server.close()]);
    // Whoever goes away ends the work on his request.
    request.signal.addEventListener('abort', end, { once: true });
    try {
      return await transport.handleRequest(request, {
        ...(authInfo !== undefined && { authInfo }),
        ...(parsedBody !== undefined && { parsedBody }),
      });
    } finally {
      request.signal.removeEventListener('abort', end);
      end();
    }
  };
}
