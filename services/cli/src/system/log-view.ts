/**
 * Log lines of the children, for the terminal: a prefix a process, text for people instead of JSON.
 */
import { createLogFormatter } from '@taskstream/service-host';
import * as z from 'zod';
import { printable } from '../output/printable.js';

const PINO_WARN = 40;
const PinoLine = z.looseObject({ level: z.number() });

export interface LogView {
  /** The text to show for a line, line break included; undefined for a line below the least level. */
  line(from: string, line: string): string | undefined;
  note(level: 'info' | 'warn' | 'error', message: string): string | undefined;
}

/** `warningsOnly` hides what is below `warn`; lines that are no pino lines are always shown. */
export function createLogView(options: { readonly colorize: boolean; readonly warningsOnly: boolean }): LogView {
  const format = createLogFormatter(options);
  const prefixed = (from: string, text: string): string =>
    text
      .trimEnd()
      .split('\n')
      .map((one) => `[${from}] ${one}\n`)
      .join('');
  return {
    line: (from, line) => {
      const level = levelOf(line);
      if (level === undefined) return line.trim() === '' ? undefined : prefixed(from, printable(line));
      return options.warningsOnly && level < PINO_WARN ? undefined : prefixed(from, format(line));
    },
    note: (level, message) =>
      options.warningsOnly && level === 'info' ? undefined : prefixed('up', `${level.toUpperCase()}: ${message}`),
  };
}

function levelOf(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return PinoLine.safeParse(JSON.parse(line)).data?.level;
  } catch {
    return undefined;
  }
}
