/** The life of a task: every phase × every happening, pinned. */
import { isTerminal, TASK_STATUSES } from '@taskstream/protocol';
import { describe, expect, it } from 'vitest';
import { HAPPENINGS, nextPhase, PHASES, phaseOf, REFUSED, statusOf, type Happening, type Phase } from '../src/index.js';

/** A second, independent statement of the table. A dash is a refusal. */
const MATRIX = `
  phase      attempt_started attempt_ended input_requested input_received completed failed cancelled
  queued     running         -             -               -              -         failed cancelled
  running    running         queued        asking          -              completed failed cancelled
  asking     asking          suspended     asking          running        completed failed cancelled
  suspended  asking          -             -               -              -         failed cancelled
  completed  -               -             -               -              -         -      -
  failed     -               -             -               -              -         -      -
  cancelled  -               -             -               -              -         -      -
`;

const [HEAD = [], ...ROWS] = MATRIX.trim()
  .split('\n')
  .map((row) => row.trim().split(/ +/));

function wanted(phase: Phase, happening: Happening): string | undefined {
  const cell = ROWS.find((row) => row[0] === phase)?.[HEAD.indexOf(happening)];
  return cell === '-' ? REFUSED : cell;
}

const CELLS = PHASES.flatMap((phase) => HAPPENINGS.map((happening) => [phase, happening] as const));

/** Whether an attempt holds the log in a phase. */
const ATTEMPT_RUNS: Record<Phase, boolean> = {
  queued: false,
  running: true,
  asking: true,
  suspended: false,
  completed: false,
  failed: false,
  cancelled: false,
};

describe('lifecycle', () => {
  it('has a cell for each phase and happening', () => {
    expect(CELLS).toHaveLength(49);
    expect(HEAD.slice(1)).toEqual(HAPPENINGS);
    expect(ROWS.map((row) => row[0])).toEqual(PHASES);
    expect(ROWS.every((row) => row.length === HEAD.length)).toBe(true);
  });

  it.each(CELLS)('%s × %s', (phase, happening) => {
    expect(nextPhase(phase, happening)).toBe(wanted(phase, happening));
  });

  it('a terminal phase refuses everything', () => {
    const terminal = PHASES.filter((phase) => isTerminal(statusOf(phase)));
    expect(terminal).toEqual(['completed', 'failed', 'cancelled']);
    for (const phase of terminal) {
      for (const happening of HAPPENINGS) expect(nextPhase(phase, happening)).toBe(REFUSED);
    }
  });

  it('only a running attempt can complete a task, end itself or ask', () => {
    for (const happening of ['completed', 'attempt_ended', 'input_requested'] as const) {
      const accepting = PHASES.filter((phase) => nextPhase(phase, happening) !== REFUSED);
      expect(accepting).toEqual(PHASES.filter((phase) => ATTEMPT_RUNS[phase]));
    }
  });

  it('every live phase can fail and be cancelled, and can reach every terminal phase', () => {
    for (const start of PHASES.filter((phase) => !isTerminal(statusOf(phase)))) {
      expect(nextPhase(start, 'failed')).toBe('failed');
      expect(nextPhase(start, 'cancelled')).toBe('cancelled');
      const reached = new Set<Phase>([start]);
      for (const phase of reached) {
        for (const happening of HAPPENINGS) {
          const next = nextPhase(phase, happening);
          if (next !== REFUSED) reached.add(next);
        }
      }
      expect([...reached].toSorted()).toEqual([...PHASES].toSorted());
    }
  });

  it('an attempt that starts makes a live task work or keeps its questions, and one that ends keeps its MCP status', () => {
    for (const phase of PHASES.filter((p) => !isTerminal(statusOf(p)))) {
      const asks = statusOf(phase) === 'input_required';
      expect(nextPhase(phase, 'attempt_started')).toBe(asks ? 'asking' : 'running');
    }
    const ends = PHASES.map((phase) => [phase, nextPhase(phase, 'attempt_ended')] as const).filter(
      (end): end is readonly [Phase, Phase] => end[1] !== REFUSED,
    );
    expect(ends).toHaveLength(2);
    for (const [phase, next] of ends) expect(statusOf(next)).toBe(statusOf(phase));
  });

  it('a phase is what the tail shows: phaseOf is the inverse of statusOf and the running attempt', () => {
    for (const phase of PHASES) expect(phaseOf(statusOf(phase), ATTEMPT_RUNS[phase])).toBe(phase);
  });

  it('every tail shows a phase of its own status, whether or not an attempt runs', () => {
    for (const status of TASK_STATUSES) {
      for (const running of [true, false]) {
        const phase = phaseOf(status, running);
        expect(statusOf(phase)).toBe(status);
        if (!isTerminal(status)) expect(ATTEMPT_RUNS[phase]).toBe(running);
      }
    }
  });
});
