/** What every request of revision 2026-07-28 says of its client, in `_meta`. 2026-07-28 §Request Metadata. */
import { STEERING_EXTENSION, TASKS_EXTENSION } from '@taskstream/protocol';
import type { Call } from './channel.js';
import { isObject, type JsonObject } from './shape.js';

export const PROTOCOL_VERSION = '2026-07-28';
export const CLIENT_INFO = { name: 'taskstream-client', version: '0.1.0' };

export interface ClientIdentity {
  readonly clientInfo?: { readonly name: string; readonly version: string };
  readonly capabilities?: JsonObject;
}

export function withEnvelope(call: Call, { clientInfo, capabilities = {} }: ClientIdentity): JsonObject {
  const extensions = isObject(capabilities['extensions']) ? capabilities['extensions'] : {};
  return {
    ...call.params,
    _meta: {
      ...(isObject(call.params['_meta']) ? call.params['_meta'] : {}),
      'io.modelcontextprotocol/protocolVersion': PROTOCOL_VERSION,
      'io.modelcontextprotocol/clientInfo': clientInfo ?? CLIENT_INFO,
      'io.modelcontextprotocol/clientCapabilities': {
        ...(call.elicitation === true && { elicitation: {} }),
        ...capabilities,
        extensions: { ...extensions, [TASKS_EXTENSION]: {}, [STEERING_EXTENSION]: {} },
      },
    },
  };
}
