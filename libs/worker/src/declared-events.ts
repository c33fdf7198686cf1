/**
 * The event types that a tool declares: a schema for each payload, and whether queued events of the type may be joined.
 *
 * Invariants: a declaration is checked when the tool is defined; a payload that breaks its schema is refused at `emit`,
 * with the field; what is stored is what the schema makes of the payload.
 */
import { TaskstreamError, type CoalesceRule, type EventDraft } from '@taskstream/core';
import { describeIssues, isVendorEventType, SYSTEM_EVENT_PREFIX, type EventIdentity } from '@taskstream/protocol';
import * as z from 'zod';

export type EventDeclaration = z.ZodObject | { readonly schema: z.ZodObject; readonly coalesce?: CoalesceRule };

/** By event type. */
export type EventDeclarations = Readonly<Record<string, EventDeclaration>>;

type SchemaOf<Declaration> = Declaration extends z.ZodObject
  ? Declaration
  : Declaration extends { readonly schema: infer Schema extends z.ZodObject }
    ? Schema
    : never;

/** What `emit` takes for a type: the input of its schema, any JSON object when it is not declared. */
export type PayloadOf<Events, Type extends string> = string extends keyof Events
  ? Readonly<Record<string, unknown>>
  : Type extends keyof Events
    ? z.input<SchemaOf<Events[Type]>>
    : Readonly<Record<string, unknown>>;

interface DeclaredEvent {
  readonly schema: z.ZodObject;
  readonly coalesce: CoalesceRule | undefined;
}
export type DeclaredEvents = ReadonlyMap<string, DeclaredEvent>;

/** @throws TypeError naming the tool and the event type when a declaration is not valid */
export function declareEvents(tool: string, declarations: EventDeclarations = {}): DeclaredEvents {
  const declared = new Map<string, DeclaredEvent>();
  for (const [type, declaration] of Object.entries(declarations)) {
    const where = `defineTool(${tool}): events: ${type}`;
    if (!isVendorEventType(type) || type.startsWith(SYSTEM_EVENT_PREFIX)) {
      throw new TypeError(`${where}: expected a type with your own vendor prefix, such as com.example.step`);
    }
    const { schema, coalesce } =
      declaration instanceof z.ZodObject ? { schema: declaration, coalesce: undefined } : declaration;
    if (!(schema instanceof z.ZodObject)) throw new TypeError(`${where}: expected z.object(…) or { schema, coalesce }`);
    if (coalesce !== undefined && coalesce !== 'text' && coalesce !== 'latest') {
      throw new TypeError(`${where}: coalesce: expected 'text' or 'latest'`);
    }
    if (coalesce === 'text' && !('text' in schema.shape)) {
      throw new TypeError(`${where}: coalesce: 'text' needs a member text in the schema`);
    }
    declared.set(type, { schema, coalesce });
  }
  return declared;
}

/** `where` says who emits. @throws TaskstreamError invalid_event when the payload breaks the schema */
export function draftOf(
  type: string,
  { schema, coalesce }: DeclaredEvent,
  payload: unknown,
  identity: EventIdentity | undefined,
  where: () => string,
): EventDraft {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return { type, payload: parsed.data, identity, coalesce };
  const issues = describeIssues(parsed.error, payload, 'payload');
  throw new TaskstreamError('invalid_event', `${where()}: payload of ${type}: ${issues}`);
}
