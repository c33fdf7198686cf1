import { describe, expect, it } from 'vitest';
import { followStep } from '../src/follow-state.js';
import type { FollowInput, FollowState, InputType, Phase } from '../src/follow-types.js';
import { ENV, FollowDriver, opened, start, status, streaming } from './support/follow-driver.js';

/** One state of each phase, all after event 4. */
const STATES: Record<Phase, FollowState> = {
  idle: new FollowDriver(4).state,
  connecting: new FollowDriver(4).feed(start).state,
  streaming: streaming(4).state,
  'backing-off': streaming(4).feed({ type: 'network-error', message: 'cut' }).state,
  'asking-status': streaming(4).feed({ type: 'end' }).state,
  polling: new FollowDriver(4).feed({ type: 'start', mode: 'poll' }).state,
  ended: new FollowDriver(4).feed({ type: 'start', mode: 'poll' }, status('completed')).state,
  failed: new FollowDriver(4).feed(start, { type: 'stop' }).state,
};

/** One input of each type. */
const INPUTS: Record<InputType, FollowInput> = {
  start,
  opened,
  activity: { type: 'activity', heartbeat: true },
  event: { type: 'event', seq: 5 },
  fault: { type: 'fault', fault: 'malformed_message', message: 'no JSON', consequence: 'reconnect' },
  end: { type: 'end', reason: 'rotated', status: 'working', nextSeq: 5 },
  'rpc-error': { type: 'rpc-error', code: -32603, message: 'later', reason: 'temporarily_unavailable' },
  'http-error': { type: 'http-error', status: 503 },
  'network-error': { type: 'network-error', message: 'cut' },
  silence: { type: 'silence' },
  timer: { type: 'timer' },
  status: status('working'),
  stop: { type: 'stop' },
};

/** The whole table: the next phase and the effects. `!` is a defect of the shell, `=` is ignored. */
const CELLS: Record<Phase, Record<InputType, string>> = {
  idle: {
    start: 'connecting open',
    opened: '!',
    activity: '!',
    event: '!',
    fault: '!',
    end: '!',
    'rpc-error': '!',
    'http-error': '!',
    'network-error': '!',
    silence: '!',
    timer: '!',
    status: '!',
    stop: 'failed',
  },
  connecting: {
    start: '! abort',
    opened: 'streaming connected',
    activity: '! abort',
    event: '! abort',
    fault: 'backing-off fault abort endpoint-failed reconnecting wait',
    end: '! abort',
    'rpc-error': 'backing-off abort endpoint-failed reconnecting wait',
    'http-error': 'backing-off abort endpoint-failed reconnecting wait',
    'network-error': 'backing-off abort endpoint-failed reconnecting wait',
    silence: 'backing-off abort endpoint-failed reconnecting wait',
    timer: '! abort',
    status: '! abort',
    stop: 'failed abort',
  },
  streaming: {
    start: '! abort',
    opened: '! abort',
    activity: 'streaming',
    event: 'streaming deliver',
    fault: 'backing-off fault abort endpoint-failed reconnecting wait',
    end: 'backing-off abort reconnecting wait',
    'rpc-error': 'backing-off abort endpoint-failed reconnecting wait',
    'http-error': '! abort',
    'network-error': 'backing-off abort endpoint-failed reconnecting wait',
    silence: 'asking-status abort ask-status',
    timer: '! abort',
    status: '! abort',
    stop: 'failed abort',
  },
  'backing-off': {
    start: '!',
    opened: '!',
    activity: '!',
    event: '!',
    fault: '!',
    end: '!',
    'rpc-error': '!',
    'http-error': '!',
    'network-error': '!',
    silence: '!',
    timer: 'connecting open',
    status: '!',
    stop: 'failed',
  },
  'asking-status': {
    start: '! abort',
    opened: '! abort',
    activity: '! abort',
    event: '! abort',
    fault: 'backing-off fault abort endpoint-failed reconnecting wait',
    end: '! abort',
    'rpc-error': 'backing-off abort endpoint-failed reconnecting wait',
    'http-error': 'backing-off abort endpoint-failed reconnecting wait',
    'network-error': 'backing-off abort endpoint-failed reconnecting wait',
    silence: 'backing-off abort endpoint-failed reconnecting wait',
    timer: '! abort',
    status: 'backing-off reconnecting wait',
    stop: 'failed abort',
  },
  polling: {
    start: '! abort',
    opened: '! abort',
    activity: '! abort',
    event: '! abort',
    fault: 'backing-off fault abort endpoint-failed reconnecting wait',
    end: '! abort',
    'rpc-error': 'backing-off abort endpoint-failed reconnecting wait',
    'http-error': 'backing-off abort endpoint-failed reconnecting wait',
    'network-error': 'backing-off abort endpoint-failed reconnecting wait',
    silence: 'backing-off abort endpoint-failed reconnecting wait',
    timer: '! abort',
    status: 'polling wait',
    stop: 'failed abort',
  },
  ended: {
    start: '=',
    opened: '=',
    activity: '=',
    event: '=',
    fault: '=',
    end: '=',
    'rpc-error': '=',
    'http-error': '=',
    'network-error': '=',
    silence: '=',
    timer: '=',
    status: '=',
    stop: '=',
  },
  failed: {
    start: '=',
    opened: '=',
    activity: '=',
    event: '=',
    fault: '=',
    end: '=',
    'rpc-error': '=',
    'http-error': '=',
    'network-error': '=',
    silence: '=',
    timer: '=',
    status: '=',
    stop: '=',
  },
};

const cells = Object.entries(CELLS).flatMap(([phase, row]) =>
  Object.entries(row).map(([input, cell]) => [phase as Phase, input as InputType, cell] as const),
);

describe('the table of the follow state machine', () => {
  it('has a state in each phase to start from', () => {
    for (const [phase, state] of Object.entries(STATES)) expect(state.phase).toBe(phase);
    expect(cells).toHaveLength(8 * 13);
  });

  it.each(cells)('%s × %s', (phase, input, cell) => {
    const before = STATES[phase];
    const { state, effects } = followStep(before, INPUTS[input], ENV);
    const names = effects.map((effect) => effect.type).join(' ');
    const failed = state.phase === 'failed' ? state.failure.code : undefined;
    if (cell === '=') {
      expect(state).toBe(before);
      expect(effects).toEqual([]);
    } else if (cell.startsWith('!')) {
      expect({ failed, names }).toEqual({ failed: 'defect', names: cell.slice(2) });
    } else {
      expect(`${state.phase} ${names}`.trim()).toBe(cell);
      if (input === 'stop') expect(failed).toBe('aborted');
    }
  });

  it('aborts the request in flight before any other request', () => {
    const late = Object.values(STATES).flatMap((state) =>
      Object.values(INPUTS).filter((input) => {
        const names: string[] = followStep(state, input, ENV).effects.map(({ type }) => type);
        const busy = state.phase === 'connecting' || state.phase === 'streaming';
        const next = names.findIndex((name) => ['open', 'ask-status', 'wait'].includes(name));
        const aborted = names.indexOf('abort');
        return next >= 0 && busy && !(aborted >= 0 && aborted < next);
      }),
    );
    expect(late).toEqual([]);
  });
});
