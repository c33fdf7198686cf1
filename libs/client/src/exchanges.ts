/** Exchanges that are made of others, and of answers that are known already. */
import type { RpcError } from './api.js';
import type { Exchange, Posted, Reply } from './channel.js';
import type { JsonObject } from './shape.js';

const ANSWERED_ID = 'answered';

/** A response that holds this result. */
export function answered(result: JsonObject): Posted {
  let read = false;
  const exchange: Exchange = {
    id: ANSWERED_ID,
    read: () => {
      if (read) return Promise.resolve({ type: 'eof' });
      read = true;
      return Promise.resolve({ type: 'message', message: { kind: 'result', id: ANSWERED_ID, result }, text: '' });
    },
    close: () => undefined,
  };
  return { type: 'open', exchange };
}

export function refused(error: RpcError): Posted {
  return { type: 'rpc-error', error };
}

/** The JSON-RPC error of a reply, if it is one. */
export function errorOf(reply: Reply): RpcError | undefined {
  return reply.type === 'rpc-error' ? reply.error : undefined;
}

export function postedOf(reply: Reply): Posted {
  return reply.type === 'result' ? answered(reply.result) : reply;
}

/** The exchange, with something that happens when it is closed before its response. */
export function whenAbandoned(exchange: Exchange, abandon: () => void): Exchange {
  let over = false;
  return {
    id: exchange.id,
    read: async (silenceMs) => {
      const next = await exchange.read(silenceMs);
      const kind = next.type === 'message' ? next.message.kind : undefined;
      if (kind === 'result' || kind === 'error') over = true;
      return next;
    },
    close: () => {
      exchange.close();
      if (over) return;
      over = true;
      abandon();
    },
  };
}
