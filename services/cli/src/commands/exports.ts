/**
 * Exported streams: `export` writes one, `verify` checks one, `import` shows one without a server.
 *
 * Invariant: an exported line is the event's params byte for byte; a file holds whole lines only.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { isClientError } from '@taskstream/client';
import {
  applyEvent,
  EMPTY_TRANSCRIPT,
  eventLine,
  importEvents,
  verifyExport,
  type ExportReport,
} from '@taskstream/client/transcript';
import { ExitCode, UsageError } from '../exit-codes.js';
import { describeNotice } from '../output/notices.js';
import { printable, printableLine } from '../output/printable.js';
import type { TextSink } from '../output/task-output.js';
import { transcriptText } from '../output/transcript-view.js';
import type { ExportOptions, ImportOptions, VerifyOptions } from '../program.js';
import type { CommandContext } from './context.js';

const EVENT_CHARS_MAX = 200;

export async function exportTask(context: CommandContext, taskId: string, options: ExportOptions): Promise<ExitCode> {
  const client = context.connect(options.url);
  await client.getTask(taskId, { signal: context.signal });
  const target = options.output === undefined ? undefined : await openTarget(options.output);
  const sink: TextSink = target ?? context.out;
  const follow = client.followTask(taskId, {
    raw: true,
    signal: context.signal,
    onEventsGone: 'resume',
    ...(options.after !== undefined && { after: options.after }),
    onNotice: (notice) => {
      const text = describeNotice(notice, options.verbose);
      if (text !== undefined) context.note(text);
    },
  });
  follow.outcome.catch(() => undefined);
  let events = 0;
  let gaps = 0;
  try {
    for await (const item of follow) {
      if (item.type === 'gap') {
        gaps += 1;
        context.note(`Events ${item.from} to ${item.to} are no longer retained: the export has a gap`);
        continue;
      }
      await sink.write(eventLine(item));
      events += 1;
    }
  } catch (error) {
    if (!isClientError(error, 'aborted')) throw error;
    context.note(`Interrupted after ${events} events; the task goes on`);
    return ExitCode.interrupted;
  } finally {
    await target?.close();
  }
  context.note(`${events} events of ${printableLine(taskId, EVENT_CHARS_MAX)}`);
  return gaps === 0 ? ExitCode.ok : ExitCode.failed;
}

async function openTarget(file: string): Promise<TextSink & { readonly close: () => Promise<void> }> {
  try {
    const handle = await open(file, 'w', 0o600);
    return { write: (text) => handle.appendFile(text), close: () => handle.close() };
  } catch (error) {
    throw unusable('--output', file, error);
  }
}

export async function verify(context: CommandContext, file: string, options: VerifyOptions): Promise<ExitCode> {
  const report = await reading(file, () => verifyExport(piecesOf(context, file), options));
  await context.out.write(context.terminal ? reportText(report) : `${JSON.stringify(report)}\n`);
  if (!report.gapFree) return ExitCode.failed;
  return report.complete ? ExitCode.ok : ExitCode.incomplete;
}

function reportText(report: ExportReport): string {
  const { events, firstSeq, lastSeq, faults, faultCount, endedAs } = report;
  const range = events === 0 ? 'no events' : `${events} events, ${firstSeq} to ${lastSeq}`;
  const end = endedAs === undefined ? 'the end of the task is not in it' : `the task ${endedAs}`;
  const verdict = report.complete ? 'complete' : report.gapFree ? `gap-free, but not whole` : 'not gap-free';
  const listed = faults.map(({ line, fault, message }) => `  line ${line}: ${fault}: ${message}\n`).join('');
  const more = faultCount > faults.length ? `  and ${faultCount - faults.length} more\n` : '';
  return printable(`${verdict}: ${range}; ${end}\n${listed}${more}`);
}

export async function importExport(context: CommandContext, file: string, options: ImportOptions): Promise<ExitCode> {
  let bad = 0;
  let transcript = EMPTY_TRANSCRIPT;
  await reading(file, async () => {
    for await (const event of importEvents(piecesOf(context, file), () => (bad += 1))) {
      if (options.transcript || options.json) transcript = applyEvent(transcript, event);
      else {
        const { seq, type, payload } = event;
        await context.out.write(`${printableLine(`${seq} ${type} ${JSON.stringify(payload)}`, EVENT_CHARS_MAX)}\n`);
      }
    }
  });
  const { places: _places, ...plain } = transcript;
  if (options.json) await context.out.write(`${JSON.stringify(plain)}\n`);
  else if (options.transcript) await context.out.write(transcriptText(transcript));
  if (bad === 0) return ExitCode.ok;
  context.note(`${bad} lines are not events and were left out: see taskstream verify`);
  return ExitCode.failed;
}

function piecesOf(context: CommandContext, file: string): AsyncIterable<Uint8Array> {
  return file === '-' ? context.input : createReadStream(file);
}

/** What cannot be read is a fault of the command line. */
async function reading<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? unusable('file', file, error) : error;
  }
}

function unusable(what: string, file: string, error: unknown): UsageError {
  const reason = error instanceof Error ? error.message : String(error);
  return new UsageError(`${what}: cannot use ${file}: ${reason}`, { cause: error });
}
