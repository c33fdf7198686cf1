/**
 * The OpenAPI document of the plain HTTP paths. MCP itself is JSON-RPC and described by its own specification.
 */
const problem = (description: string) => ({
  description,
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['status', 'detail'],
        properties: { status: { type: 'integer' }, detail: { type: 'string' }, earliestSeq: { type: 'integer' } },
      },
    },
  },
});

export function openApiDocument(version: string): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'taskstream',
      version,
      description: 'Plain HTTP view of task event streams. The MCP endpoint is POST /mcp.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      '/tasks/{taskId}/events': {
        get: {
          operationId: 'readTaskEvents',
          summary: 'Events of a task: a stream that a browser resumes by itself, or a bounded NDJSON answer',
          parameters: [
            { name: 'taskId', in: 'path', required: true, schema: { type: 'string', maxLength: 77 } },
            {
              name: 'after',
              in: 'query',
              description:
                'Exclusive cursor: the seq of the last event that was processed. Last-Event-ID wins over it.',
              schema: { type: 'integer', minimum: 0 },
            },
            {
              name: 'limit',
              in: 'query',
              description: 'Most events of an NDJSON answer',
              schema: { type: 'integer', minimum: 1, maximum: 10_000 },
            },
            { name: 'Last-Event-ID', in: 'header', schema: { type: 'integer', minimum: 0 } },
          ],
          responses: {
            '200': {
              description: 'Events from the cursor on; each id is a seq, each data or line the event as it is in MCP',
              content: {
                'text/event-stream': { schema: { type: 'string' } },
                'application/x-ndjson': { schema: { type: 'string' } },
              },
            },
            '204': { description: 'The task is over and the cursor is at its end' },
            '400': problem('The cursor is not one, or lies ahead of the task'),
            '401': { description: 'A token is needed' },
            '404': problem('The task does not exist, has expired, or is not yours'),
            '409': problem('This connection has a stream of the task already'),
            '410': problem('Events after the cursor are no longer retained; earliestSeq is the first that is'),
            '429': problem('Too many open streams'),
            '503': problem('This node cannot answer now; try another one'),
          },
        },
      },
      '/livez': {
        get: {
          operationId: 'live',
          summary: 'Whether the process lives',
          responses: { '200': { description: 'It does' } },
        },
      },
      '/readyz': {
        get: {
          operationId: 'ready',
          summary: 'Whether the node may get traffic',
          parameters: [
            {
              name: 'status',
              in: 'query',
              description: 'Status to answer instead of 503',
              schema: { type: 'integer', minimum: 400, maximum: 599 },
            },
          ],
          responses: { '200': { description: 'It may' }, '503': { description: 'It may not; the body says why' } },
        },
      },
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'Prometheus metrics',
          responses: { '200': { description: 'Metrics', content: { 'text/plain': { schema: { type: 'string' } } } } },
        },
      },
    },
  };
}
