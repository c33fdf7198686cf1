/** Every ledger, in the order of the document. */
import { DECISIONS } from './decisions.js';
import { HTTP_2026 } from './http-2026.js';
import type { Ledger } from './ledger.js';
import { TASKS_2025 } from './tasks-2025.js';
import { TASKS_2026 } from './tasks-2026.js';

export const LEDGERS: readonly Ledger[] = [TASKS_2026, TASKS_2025, HTTP_2026, DECISIONS];
