/**
 * All checks, and how they are run.
 *
 * Invariants: checks run one after another, each with its own verdict; one that fails to run does not stop the others.
 */
import { ACCESS_CHECKS } from './checks/access.js';
import { CONNECTION_CHECKS } from './checks/connection.js';
import { CURSOR_CHECKS } from './checks/cursor.js';
import { ENVELOPE_CHECKS } from './checks/envelope.js';
import { GONE_CHECKS } from './checks/gone.js';
import { LIVE_CHECKS } from './checks/live.js';
import { NEIGHBOUR_CHECKS } from './checks/neighbours.js';
import { Kit, type Check } from './kit.js';
import type { KitOptions } from './options.js';
import { reportOf, Verdict, type Finding, type Report } from './report.js';
import type { RequirementId } from './requirements.js';

export const CHECKS: readonly Check[] = [
  ...ENVELOPE_CHECKS,
  ...CURSOR_CHECKS,
  ...LIVE_CHECKS,
  ...CONNECTION_CHECKS,
  ...ACCESS_CHECKS,
  ...GONE_CHECKS,
  ...NEIGHBOUR_CHECKS,
];

async function runCheck(kit: Kit, check: Check): Promise<Map<RequirementId, Finding>> {
  const verdict = new Verdict();
  try {
    await check.run(kit, verdict);
  } catch (error) {
    return verdict.findings(check.name, check.ids, error ?? new Error('nothing was said'));
  }
  return verdict.findings(check.name, check.ids);
}

export async function runKit(options: KitOptions): Promise<Report> {
  const kit = new Kit(options);
  const found: Array<Map<RequirementId, Finding>> = [];
  for (const check of CHECKS) found.push(await runCheck(kit, check));
  return reportOf(found);
}
