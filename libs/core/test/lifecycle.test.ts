/** The life of a task: every phase × every happening, pinned. */
import { isTerminal, TASK_STATUSES } from '@taskstream/protocol';
import { describe, expect, it } from 'vitest';
import { HAPPENINGS, nextPhase, PHASES, phaseOf, REFUSED, statusOf, type Happening, type Phase } from '../src/index.js';

const no = REFUSED;

/** A second, independent statement of the table; the types make it total. */
const WANTED: Record<Phase, Record<Happening, Phase | typeof REFUSED>> = {
  //          attempt_started            attempt_ended               input_requested          input_received           completed               failed             cancelled
  // prettier-ignore
  queued: { attempt_started: 'running', attempt_ended: no, input_requested: no, input_received: no, completed: no, failed: 'failed', cancelled: 'cancelled' },
  // prettier-ignore
  running: { attempt_started: 'running', attempt_ended: 'queued', input_requested: 'asking', input_received: no, completed: 'completed', failed: 'failed', cancelled: 'cancelled' },
  // prettier-ignore
  asking: { attempt_started: 'asking', attempt_ended: 'suspended', input_requested: 'asking', input_received: 'running', completed: 'completed', failed: 'failed', cancelled: 'cancelled' },
  // prettier-ignore
  suspended: { attempt_started: 'asking', attempt_ended: no, input_requested: no, input_received: no, completed: no, failed: 'failed', cancelled: 'cancelled' },
  // prettier-ignore
  completed: { attempt_started: no, attempt_ended: no, input_requested: no, input_received: no, completed: no, failed: no, cancelled: no },
  // prettier-ignore
  failed: { attempt_started: no, attempt_ended: no, input_requested: no, input_received: no, completed: no, failed: no, cancelled: no },
  // prettier-ignore
  cancelled: { attempt_started: no, attempt_ended: no, input_requested: no, input_received: no, completed: no, failed: no, cancelled: no },
};

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
  });

  it.each(CELLS)('%s × %s', (phase, happening) => {
    expect(nextPhase(phase, happening)).toBe(WANTED[phase][happening]);
  });

  it('a terminal phase refuses everything', () => {
    const terminal = PHASES.filter((phase) => isTerminal(statusOf(phase)));
    expect(terminal).toEqual(['completed', 'failed', 'cancelled']);
    for (const phase of terminal) {
      for (const happening of HAPPENINGS) expect(nextPhase(phase, happening)).toBe(REFUSED);
    }
  });

  it('only a running attempt can complete a task, end itself or ask', () => {
    for (const phase of PHASES) {
      for (const happening of ['completed', 'attempt_ended', 'input_requested'] as const) {
        if (!ATTEMPT_RUNS[phase]) expect(nextPhase(phase, happening)).toBe(REFUSED);
      }
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

  it('an attempt that starts or ends never changes the MCP status', () => {
    for (const phase of PHASES) {
      for (const happening of ['attempt_started', 'attempt_ended'] as const) {
        const next = nextPhase(phase, happening);
        if (next !== REFUSED) expect(statusOf(next)).toBe(statusOf(phase));
      }
    }
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
