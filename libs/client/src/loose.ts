/**
 * Looks into what a server of revision 2025-11-25 sent. Nothing is checked here: what goes on is put into the words of
 * 2026-07-28, and checked with them.
 *
 * Apart from `shape.ts`, because that is part of what every browser loads, and a bundler cuts what both parts import
 * into a file of its own.
 */
import type { JsonObject } from './shape.js';

/** The members of an object; none of anything else. */
export function membersOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
}
