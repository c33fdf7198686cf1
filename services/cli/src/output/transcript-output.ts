/**
 * Output of a followed task as a transcript: progress while it runs, the tree when it ends or the reading is left.
 */
import { applyEvent, EMPTY_TRANSCRIPT } from '@taskstream/client/transcript';
import type { TaskOutput, TextSink } from './task-output.js';
import { transcriptText } from './transcript-view.js';

/** @param progress shows the progress; it writes nothing to `out` */
export function transcriptOutput(progress: TaskOutput, out: TextSink): TaskOutput {
  let transcript = EMPTY_TRANSCRIPT;
  return {
    ...progress,
    item: async (item) => {
      if (item.type === 'event') transcript = applyEvent(transcript, item.event);
      await progress.item(item);
    },
    outcome: async (outcome) => {
      await progress.outcome(outcome);
      await out.write(transcriptText(transcript));
    },
    abandon: async () => {
      await progress.abandon();
      await out.write(transcriptText(transcript));
    },
  };
}
