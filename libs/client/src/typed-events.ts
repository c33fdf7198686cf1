/**
 * Payloads that are checked by the application's own schemas, of any library.
 *
 * Invariant: a payload that breaks its schema hides no event: the event is handed on as it came, without `typed`.
 */
import type { EventSchema, EventSchemas, TypedEvent } from './api.js';

export type Decoded =
  | { readonly ok: true; readonly typed: TypedEvent<EventSchemas> }
  | { readonly ok: false; readonly message: string };

/** Undefined for a type that no schema is declared for. */
export async function decodePayload(
  schemas: EventSchemas,
  type: string,
  payload: unknown,
): Promise<Decoded | undefined> {
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (schema === undefined) return undefined;
  try {
    return { ok: true, typed: { type, payload: await parsed(schema, payload) } };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

async function parsed(schema: EventSchema, payload: unknown): Promise<unknown> {
  if (!('~standard' in schema)) return schema.parse(payload);
  const result = await schema['~standard'].validate(payload);
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(({ message, path = [] }) => {
    const where = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return `${where === '' ? 'payload' : where}: ${message}`;
  });
  throw new Error(problems.slice(0, 3).join('; '));
}
