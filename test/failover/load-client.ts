/**
 * The clients of a load: what they are given and how patient they are.
 *
 * Invariant: each is like an independent client: none knows what another found out about the service.
 */
import { createTaskClient, type Notice, type TaskClient } from '@taskstream/client';

export interface LoadTarget {
  readonly url: string;
  readonly token: string;
  readonly silenceMs: number;
}

export function loadClient({ url, token, silenceMs }: LoadTarget, onNotice: (notice: Notice) => void): TaskClient {
  return createTaskClient({
    endpoints: [url],
    headers: { authorization: `Bearer ${token}` },
    limits: {
      silenceTimeoutMs: silenceMs,
      requestTimeoutMs: 10_000,
      attemptsMax: 100,
      backoffBaseMs: 100,
      backoffMaxMs: 1_000,
    },
    onNotice,
  });
}
