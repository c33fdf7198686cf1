export {
  eventLine,
  importEvents,
  LINE_BYTES_MAX,
  readEventLines,
  type EventLine,
  type TextPieces,
} from './event-lines.js';
export { applyEvent, DEFAULT_TRANSCRIPT_RULES, EMPTY_TRANSCRIPT, foldTranscript } from './fold.js';
export { plainText } from './plain-text.js';
export { findItem } from './tree.js';
export {
  ITEM_KINDS,
  TRANSCRIPT_ANOMALIES,
  type ItemKind,
  type ItemState,
  type Transcript,
  type TranscriptAnomaly,
  type TranscriptAnomalyName,
  type TranscriptItem,
  type TranscriptNote,
  type TranscriptRules,
} from './types.js';
export {
  EXPORT_FAULTS,
  verifyExport,
  type ExportFault,
  type ExportFaultName,
  type ExportReport,
  type VerifyOptions,
} from './verify-export.js';
