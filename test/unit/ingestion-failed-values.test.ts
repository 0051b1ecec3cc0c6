// Failures of a version's functions in the log: each column's first at once, later ones as one line a minute with their number.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { tellOfFailedValues } from '../../src/ingestion/failed-values.ts';
import { numbersSource } from '../support/numbers-source.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

it('logs a column’s first failure at once, and once a minute how many came since the last line', () => {
  const lines: unknown[] = [];
  const warn = ({ column, values }: Record<string, unknown>) => void lines.push([column, values]);
  const onFailed = tellOfFailedValues({ ...silentLogger, warn } as typeof silentLogger, numbersSource, ['v@1']);
  const fail = (column: string, times = 1) => {
    for (let i = 0; i < times; i++) onFailed(column, new Error('no value'));
    return lines.splice(0);
  };
  expect(fail('a', 3)).toEqual([['a', 1]]);
  expect(fail('b')).toEqual([['b', 1]]);
  vi.advanceTimersByTime(60_000);
  expect(fail('a')).toEqual([['a', 3]]);
  vi.advanceTimersByTime(60_000);
  expect(fail('a')).toEqual([['a', 1]]);
});
