/**
 * Verdicts of checks, and what they say about each requirement.
 *
 * Invariants: a requirement that one check fails has failed, whatever others say; a check that promises a verdict on a
 * requirement and gives none has failed it.
 */
import { REQUIREMENTS, type Requirement, type RequirementId } from './requirements.js';

export type Outcome = 'PASS' | 'FAIL' | 'SKIP';

export interface Finding {
  readonly check: string;
  readonly outcome: Outcome;
  /** What was seen, or why it could not be checked. */
  readonly detail?: string;
}

export interface ReportLine {
  readonly requirement: Requirement;
  readonly outcome: Outcome;
  readonly findings: readonly Finding[];
}

export interface Report {
  readonly lines: readonly ReportLine[];
  readonly counts: Readonly<Record<Outcome, number>>;
}

const DETAILS_MAX = 5;

/** Collects what one check finds. */
export class Verdict {
  readonly #failed = new Map<RequirementId, string[]>();
  readonly #passed = new Set<RequirementId>();
  readonly #skipped = new Map<RequirementId, string>();

  /** One observation on a requirement. */
  expect(id: RequirementId, good: boolean, detail: string): void {
    if (good) {
      this.#passed.add(id);
      return;
    }
    const details = this.#failed.get(id) ?? [];
    if (details.length < DETAILS_MAX) details.push(detail);
    this.#failed.set(id, details);
  }

  skip(ids: readonly RequirementId[], reason: string): void {
    for (const id of ids) this.#skipped.set(id, reason);
  }

  findings(check: string, promised: readonly RequirementId[], crash?: unknown): Map<RequirementId, Finding> {
    const found = new Map<RequirementId, Finding>();
    for (const id of promised) {
      const failed = this.#failed.get(id);
      const skipped = this.#skipped.get(id);
      if (failed !== undefined) found.set(id, { check, outcome: 'FAIL', detail: failed.join('; ') });
      else if (crash === undefined && this.#passed.has(id)) found.set(id, { check, outcome: 'PASS' });
      else if (crash === undefined && skipped !== undefined) found.set(id, { check, outcome: 'SKIP', detail: skipped });
      else found.set(id, { check, outcome: 'FAIL', detail: crash === undefined ? 'no verdict' : messageOf(crash) });
    }
    return found;
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** Joins the findings of all checks. Requirements without a check are left out. */
export function reportOf(found: ReadonlyArray<ReadonlyMap<RequirementId, Finding>>): Report {
  const lines: ReportLine[] = [];
  const counts: Record<Outcome, number> = { PASS: 0, FAIL: 0, SKIP: 0 };
  for (const requirement of REQUIREMENTS) {
    const findings = found.flatMap((f) => f.get(requirement.id) ?? []);
    if (findings.length === 0) continue;
    const outcome = (['FAIL', 'PASS', 'SKIP'] as const).find((o) => findings.some((f) => f.outcome === o)) ?? 'SKIP';
    counts[outcome]++;
    lines.push({ requirement, outcome, findings });
  }
  return { lines, counts };
}

/** Ids that failed, in the order of the SEP. */
export function failedIds(report: Report): RequirementId[] {
  return report.lines.filter((l) => l.outcome === 'FAIL').map((l) => l.requirement.id);
}

export function reportText({ lines, counts }: Report): string {
  const width = Math.max(0, ...lines.map((l) => l.requirement.id.length));
  const text = lines.flatMap(({ requirement: r, outcome, findings }) => [
    `${outcome}  ${r.level.padEnd(6)}  ${r.id.padEnd(width)}  ${r.summary}`,
    ...findings
      .filter((f) => f.outcome === outcome && f.detail !== undefined)
      .map((f) => `      ${f.check}: ${f.detail ?? ''}`),
  ]);
  return [...text, '', `${counts.PASS} passed, ${counts.FAIL} failed, ${counts.SKIP} skipped`, ''].join('\n');
}

/** For machines: one object a requirement. */
export function reportJson({ lines, counts }: Report): string {
  return JSON.stringify(
    {
      counts,
      requirements: lines.map(({ requirement, outcome, findings }) => ({ ...requirement, outcome, findings })),
    },
    undefined,
    2,
  );
}
