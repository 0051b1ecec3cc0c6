// From which time on a report reads the prediction log.

import { expect, it } from 'vitest';
import { logFrom } from '../../src/control/experiments/experiment-reports.ts';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import type { MetricPartSpec, MetricSpec } from '../../src/definitions/index.ts';
import { onePhase, START } from '../support/experiment-rows.ts';

const outcome: MetricPartSpec = { values: { kind: 'outcome', endpoint: 'ep' } };
const sql: MetricPartSpec = { values: { kind: 'sql', sql: 'SELECT 1', over: [] } };
const HOUR_BEFORE = START - MICROS_PER_HOUR;

it.each<[string, readonly MetricPartSpec[], number | undefined]>([
  ['an hour before the first phase where no metric looks back', [], HOUR_BEFORE],
  ['an hour before it where SQL looks back without a window', [sql], HOUR_BEFORE],
  ['its beginning where outcomes look back without a window', [{ ...outcome, windowMicros: 5 }, outcome], undefined],
  [
    'the longest window before',
    [
      { ...outcome, windowMicros: 5 },
      { ...outcome, windowMicros: 7 },
    ],
    HOUR_BEFORE - 7,
  ],
])('a report reads the log from %s', (_, prePeriods, from) => {
  const goal = [undefined, ...prePeriods].map(
    (prePeriod, at): MetricSpec => ({
      name: `m${at}`,
      parts: [outcome],
      direction: 'up',
      worth: 0.1,
      ...(prePeriod === undefined ? {} : { prePeriod }),
    }),
  );
  const phases = [onePhase({ phase: 2, startedMicros: START + 9 }), onePhase()];
  expect(logFrom({ metrics: { goal, secondary: [], guardrail: [] }, phases })).toBe(from);
});
