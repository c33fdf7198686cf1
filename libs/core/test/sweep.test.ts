import { isTerminal, type TaskStatus } from '@taskstream/protocol';
import { describe, expect, it } from 'vitest';
import { decideRepair, type Repair, type SweptTask } from '../src/index.js';

const BOOLEANS = [false, true] as const;
const STATUSES: readonly TaskStatus[] = ['working', 'input_required', 'completed', 'failed', 'cancelled'];

/** Every combination of facts. */
const ALL: SweptTask[] = STATUSES.flatMap((status) =>
  (['no', 'yes', 'long'] as const).flatMap((overdue) =>
    BOOLEANS.flatMap((running) =>
      BOOLEANS.flatMap((suspended) =>
        BOOLEANS.flatMap((item) =>
          BOOLEANS.flatMap((answered) =>
            BOOLEANS.flatMap((cancelled) =>
              BOOLEANS.flatMap((orphaned) =>
                BOOLEANS.map((beingQueued) => ({
                  status,
                  overdue,
                  running,
                  suspended,
                  item,
                  answered,
                  cancelled,
                  orphaned,
                  beingQueued,
                })),
              ),
            ),
          ),
        ),
      ),
    ),
  ),
);

const QUEUED: SweptTask = {
  status: 'working',
  running: false,
  suspended: false,
  item: true,
  answered: false,
  cancelled: false,
  orphaned: false,
  beingQueued: false,
  overdue: 'no',
};
const RUNNING: SweptTask = { ...QUEUED, running: true };
const SUSPENDED: SweptTask = { ...QUEUED, status: 'input_required', suspended: true, item: false };

const TABLE: ReadonlyArray<readonly [string, SweptTask, Repair]> = [
  ['queued', QUEUED, 'nothing'],
  ['queued, its item gone', { ...QUEUED, item: false }, 'queue'],
  ['being created, not queued yet', { ...QUEUED, item: false, beingQueued: true }, 'nothing'],
  ['being created, cancelled meanwhile', { ...QUEUED, item: false, beingQueued: true, cancelled: true }, 'cancel'],
  ['queued, its time over', { ...QUEUED, overdue: 'yes' }, 'expire'],
  ['queued, a cancel unheard', { ...QUEUED, cancelled: true }, 'cancel'],
  ['queued, its parent over', { ...QUEUED, orphaned: true }, 'orphan'],
  ['running', RUNNING, 'nothing'],
  ['running, its item gone', { ...RUNNING, item: false }, 'queue'],
  ['running, a cancel in its mailbox', { ...RUNNING, cancelled: true }, 'nothing'],
  ['running, its time just over', { ...RUNNING, overdue: 'yes' }, 'nothing'],
  ['running, its time long over', { ...RUNNING, overdue: 'long' }, 'expire'],
  ['suspended', SUSPENDED, 'nothing'],
  ['suspended, answered, not woken', { ...SUSPENDED, answered: true }, 'queue'],
  ['suspended, answered just now', { ...SUSPENDED, answered: true, beingQueued: true }, 'nothing'],
  ['suspended, answered, woken', { ...SUSPENDED, answered: true, item: true }, 'nothing'],
  ['suspended, its time over', { ...SUSPENDED, overdue: 'yes' }, 'expire'],
  ['suspended, a cancel unheard', { ...SUSPENDED, cancelled: true, answered: true }, 'cancel'],
  ['suspended, its parent over', { ...SUSPENDED, orphaned: true }, 'orphan'],
];

describe('decideRepair', () => {
  it.each(TABLE)('%s', (_name, task, repair) => {
    expect(decideRepair(task)).toBe(repair);
  });

  it('leaves alone what is over, whatever else is said of it', () => {
    const over = ALL.filter((t) => isTerminal(t.status));
    expect(over).toHaveLength(3 * 3 * 128);
    expect(new Set(over.map(decideRepair))).toEqual(new Set(['nothing']));
  });

  it('leaves nothing that is not over without an item, somebody who queues one, an attempt with its item, or an open question', () => {
    const left = ALL.filter((t) => !isTerminal(t.status) && decideRepair(t) === 'nothing');
    expect(left.length).toBeGreaterThan(0);
    expect(
      left.filter((t) => !t.item && !(t.beingQueued && !t.running) && !(t.suspended && !t.running && !t.answered)),
    ).toEqual([]);
  });

  it('lets no task go on whose time is over, that was cancelled or whose parent is over, unless an attempt sees to it', () => {
    const idle = ALL.filter(
      (t) => !isTerminal(t.status) && !t.running && (t.cancelled || t.orphaned || t.overdue !== 'no'),
    );
    expect(idle.map(decideRepair).filter((r) => r === 'nothing' || r === 'queue')).toEqual([]);
  });

  it('touches a running attempt only when its item is gone or its time long over', () => {
    const touched = ALL.filter((t) => t.running && decideRepair(t) !== 'nothing');
    expect(touched.filter((t) => t.item && t.overdue !== 'long')).toEqual([]);
  });
});
