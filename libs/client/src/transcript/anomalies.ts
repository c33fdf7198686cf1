/** Lists what was wrong, up to a bound, and counts the rest. */
import type { Transcript, TranscriptAnomaly, TranscriptRules } from './types.js';

export function anomalous(
  transcript: Transcript,
  { anomaliesMax }: TranscriptRules,
  anomaly: TranscriptAnomaly,
): Transcript {
  const listed = transcript.anomalies.length < anomaliesMax;
  return {
    ...transcript,
    anomalies: listed ? [...transcript.anomalies, anomaly] : transcript.anomalies,
    anomalyCount: transcript.anomalyCount + 1,
  };
}
