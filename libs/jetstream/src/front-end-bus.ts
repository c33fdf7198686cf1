/**
 * Best-effort messages between front ends, over core NATS.
 *
 * Invariant: nothing depends on a message arriving; a lost one costs a stream that nobody reads any more.
 */
import type { FrontEndBus, RequestCancellation } from '@taskstream/core';
import * as z from 'zod';
import type { Broker } from './broker.js';
import { CANCELLED_SUBJECT } from './names.js';

const Cancellation = z.object({ session: z.string(), requestId: z.union([z.string(), z.number()]) });

export function openFrontEndBus(broker: Broker): FrontEndBus {
  return {
    cancelRequest(cancellation) {
      if (broker.connected) broker.nc.publish(CANCELLED_SUBJECT, JSON.stringify(cancellation));
    },
    onCancelRequest(listener) {
      const subscription = broker.nc.subscribe(CANCELLED_SUBJECT, {
        callback: (error, m) => {
          if (error !== null) return;
          const parsed = parse(m.string());
          if (parsed !== undefined) listener(parsed);
        },
      });
      return () => subscription.unsubscribe();
    },
  };
}

function parse(text: string): RequestCancellation | undefined {
  try {
    const parsed = Cancellation.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
