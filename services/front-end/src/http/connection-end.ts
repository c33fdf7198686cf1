/**
 * The ends of a connection that Node leaves to the application.
 *
 * Invariants: a server that listens no more keeps no connection for another request; whoever waits for a response's
 * `close` hears it, also when the response never got its turn on a connection with pipelined requests; a client whose
 * body is refused can read why before the connection goes.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Closes a response that waits for its turn when its connection goes. Node closes only the one that has the socket. */
export function closeWithConnection({ socket }: IncomingMessage, response: ServerResponse): void {
  if (response.socket !== null) return;
  const onGone = () => {
    if (response.closed) return;
    response.destroy();
    response.emit('close');
  };
  socket.once('close', onGone);
  response.once('close', () => socket.off('close', onGone));
}

/** A balancer would send its next request on a connection that stays, to a node that takes no more. */
export function closeAfterLast(server: Server, { socket }: IncomingMessage, response: ServerResponse): void {
  if (!server.listening) response.shouldKeepAlive = false;
  response.once('finish', () => {
    if (!server.listening) socket.end();
  });
}

/**
 * Ends a response whose answer has been written, once the rest of the request's body has come and been dropped, or after
 * `msMax`. A connection that is closed while its client still sends is reset, and the client loses the answer.
 */
export function endAfterBody(request: IncomingMessage, response: ServerResponse, msMax: number): void {
  if (request.readableEnded || request.destroyed) {
    response.end();
    return;
  }
  const timer = setTimeout(() => {
    response.end();
    request.destroy();
  }, msMax);
  request.once('close', () => {
    clearTimeout(timer);
    response.end();
  });
  request.once('end', () => response.end());
  request.resume();
}
