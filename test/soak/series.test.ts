/** What is read from a process, and kept as a series. */
import { describe, expect, it } from 'vitest';
import { cpuTicks, promValue, SeriesBook } from './series.js';

describe('the book of series', () => {
  it('keeps the figures of each process apart, in order', () => {
    const book = new SeriesBook();
    book.add('fe-1', 'rss', 1, 10);
    book.add('fe-2', 'rss', 1, 20);
    book.add('fe-1', 'heap', 1, 5);
    book.add('fe-1', 'rss', 2, 11);
    expect(book.all()).toEqual([
      {
        of: 'fe-1',
        measure: 'rss',
        samples: [
          { atMs: 1, value: 10 },
          { atMs: 2, value: 11 },
        ],
      },
      { of: 'fe-2', measure: 'rss', samples: [{ atMs: 1, value: 20 }] },
      { of: 'fe-1', measure: 'heap', samples: [{ atMs: 1, value: 5 }] },
    ]);
  });

  it('has a hole where there was no answer, not a zero', () => {
    const book = new SeriesBook();
    book.add('fe-1', 'rss', 1, undefined);
    book.add('fe-1', 'rss', 2, Number.NaN);
    expect(book.all()).toEqual([]);
    book.add('fe-1', 'rss', 3, 0);
    expect(book.all()[0]?.samples).toEqual([{ atMs: 3, value: 0 }]);
  });
});

describe("a figure of Prometheus' text", () => {
  const text = [
    '# HELP taskstream_open_streams Streams',
    '# TYPE taskstream_open_streams gauge',
    'taskstream_open_streams_total 99',
    'taskstream_open_streams{service="front-end"} 12',
    'nodejs_heap_size_used_bytes 1.5e7',
  ].join('\n');

  it('is found with labels and without', () => {
    expect(promValue(text, 'taskstream_open_streams')).toBe(12);
    expect(promValue(text, 'nodejs_heap_size_used_bytes')).toBe(15_000_000);
  });

  it('is undefined when it is not there', () => {
    expect(promValue(text, 'taskstream_open')).toBeUndefined();
  });
});

describe('the time of the processors', () => {
  it('is busy unless idle or waiting for a disk', () => {
    // user nice system idle iowait irq softirq steal guest guest_nice, of which the guests are in user.
    const stat = 'cpu  100 10 50 700 40 0 20 80 30 5\ncpu0 1 2 3 4 5 6 7 8 9 10\n';
    expect(cpuTicks(stat)).toEqual({ busy: 260, all: 1_000 });
  });
});
