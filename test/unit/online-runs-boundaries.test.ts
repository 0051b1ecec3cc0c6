// Which boundaries a writer splits its parts at, from the rows of a version's runs.

import { describe, expect, it } from 'vitest';
import { boundariesInForce } from '../../src/online/runs/boundaries.ts';
import type { RunState } from '../../src/online/runs/run-row.ts';

function row(number: number, state: RunState, boundary: number | null, proposed = boundary ?? 0) {
  return { number, state, boundary, proposed };
}

describe('boundaries in force', () => {
  it('are the beginning of time before the first run', () => {
    expect(boundariesInForce([])).toEqual([-Infinity]);
  });

  it("hold the beginning of time beside the first run's until it has finished", () => {
    expect(boundariesInForce([row(1, 'open', 10)])).toEqual([-Infinity, 10]);
    expect(boundariesInForce([row(1, 'finished', 10)])).toEqual([10]);
  });

  it('are of a run that only asks the one that it proposes', () => {
    expect(boundariesInForce([row(1, 'finished', 10), row(2, 'asked', null, 20)])).toEqual([10, 20]);
  });

  it("are of a run whose boundary did not move the last finished run's, not the proposed", () => {
    expect(boundariesInForce([row(1, 'finished', 10), row(2, 'open', 10, 20)])).toEqual([10]);
  });

  it('hold those of abandoned runs since the last that finished, for they may have written bases', () => {
    const rows = [row(1, 'abandoned', 5), row(2, 'finished', 10), row(3, 'abandoned', 8), row(4, 'abandoned', null, 9)];
    expect(boundariesInForce(rows)).toEqual([8, 9, 10]);
  });

  it('ascend, each once, in whatever order the rows come', () => {
    const rows = [row(4, 'asked', null, -20), row(3, 'abandoned', 100), row(1, 'finished', 3), row(2, 'finished', 100)];
    expect(boundariesInForce(rows)).toEqual([-20, 100]);
  });
});
