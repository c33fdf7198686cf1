/** A program on a host of the test network: fetches texts for the run, which is outside of that network. */
import * as z from 'zod';
import { serve } from '../failover/helper.js';

const ANSWER_MS_MAX = 2_000;
const Ask = z.object({ urls: z.array(z.string()) });

/** Null for who does not answer: it may be cut off, or gone. */
async function text(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

serve((message) => Promise.all(Ask.parse(message).urls.map(text)));
