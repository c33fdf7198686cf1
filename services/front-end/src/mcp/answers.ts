/**
 * Answers of clients to questions: which of them count, and whether each is what its question asked for.
 *
 * Invariants: what is not asked at the moment is ignored; nothing of a message is taken when a part of it breaks its
 * question's schema; an answer that no form was asked for is checked by its shape alone.
 */
import { describeIssues } from '@taskstream/protocol';
import * as z from 'zod';
import { compileSchema, schemaProblem } from '../json-schema.js';

const Content = z.union([z.looseObject({ type: z.string() }), z.array(z.looseObject({ type: z.string() }))]);
const SHAPES: Readonly<Record<string, z.ZodType>> = {
  'elicitation/create': z.looseObject({
    action: z.enum(['accept', 'decline', 'cancel']),
    content: z.record(z.string(), z.unknown()).optional(),
  }),
  'sampling/createMessage': z.looseObject({ role: z.enum(['user', 'assistant']), content: Content, model: z.string() }),
  'roots/list': z.looseObject({ roots: z.array(z.looseObject({ uri: z.string() })) }),
};
const Question = z.looseObject({
  method: z.string(),
  params: z
    .looseObject({ mode: z.string().optional(), requestedSchema: z.record(z.string(), z.unknown()).optional() })
    .optional(),
});
const Accepted = z.looseObject({ action: z.literal('accept'), content: z.unknown().optional() });

export type TakenAnswers =
  | { readonly ok: true; readonly answers: ReadonlyArray<readonly [key: string, response: unknown]> }
  | { readonly ok: false; readonly problem: string };

/** Of the responses those whose questions are open. */
export function takeAnswers(
  outstanding: Readonly<Record<string, unknown>>,
  responses: Readonly<Record<string, unknown>>,
): TakenAnswers {
  const answers = Object.entries(responses).filter(([key]) => Object.hasOwn(outstanding, key));
  for (const [key, response] of answers) {
    const problem = answerProblem(outstanding[key], response, `inputResponses.${key}`);
    if (problem !== undefined) return { ok: false, problem };
  }
  return { ok: true, answers };
}

/** Undefined when the response answers the question; else what is wrong, by the name of the field. */
export function answerProblem(question: unknown, response: unknown, where: string): string | undefined {
  const asked = Question.safeParse(question);
  if (!asked.success) return undefined;
  const { method, params } = asked.data;
  const shape = SHAPES[method];
  if (shape !== undefined) {
    const named = { [where]: response };
    const parsed = z.object({ [where]: shape }).safeParse(named);
    if (!parsed.success) return describeIssues(parsed.error, named);
  }
  const schema = params?.requestedSchema;
  const accepted = Accepted.safeParse(response);
  if (method !== 'elicitation/create' || params?.mode === 'url' || schema === undefined || !accepted.success) {
    return undefined;
  }
  const { $schema: _, ...form } = schema;
  const field = `${where}.content`;
  let validate: ReturnType<typeof compileSchema>;
  try {
    validate = compileSchema(form);
  } catch {
    // Whoever asked with a schema that is none has to look at the answer himself.
    return undefined;
  }
  return schemaProblem(validate, accepted.data.content ?? {}, field, field);
}
