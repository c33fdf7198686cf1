/**
 * The least that can hold an idle stream: a node:http server that answers every request with the head of an event
 * stream and a comment, and then says nothing more.
 */
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' });
    response.write(': bare\n\n');
  });
});
server.listen(0, '127.0.0.1', () => process.send({ endpoint: `http://127.0.0.1:${server.address().port}/mcp` }));
