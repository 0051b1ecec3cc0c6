// Outcomes as they were known when their predictions were of an age, from a real log, against what a reader can count by eye.

import { expect, it } from 'vitest';
import { createPredictionIds, predictionMark } from '../../src/core/index.ts';
import { maturedOutcomes } from '../../src/monitoring/index.ts';
import { useLogFolder } from '../support/log-folder.ts';
import { appendRecord } from '../support/prediction-records.ts';

const MINUTE = 60_000_000;
const START = 1_790_000_040_000_000;
const DAY = 1440 * MINUTE;
const AGE = 10 * MINUTE;

const { path: directory, duckdb, clock, open, compact } = useLogFolder();

it('counts predictions that are old enough, each by what was known at that age', async () => {
  clock.micros = START;
  const log = open();
  const nextId = createPredictionIds();
  const hash = 4_000_000_007;
  const predict = (atMicros: number, version: number, unitHash: number, via?: 'forced'): string => {
    const id = nextId(predictionMark(9, version), unitHash);
    const assigned = { via: via ?? 'rollout', assigned: 'x', experiment: null, phase: 0, revision: 9 };
    const route = { ...assigned, fallbackFrom: null, unitFields: [], keepsUnitsWhole: true };
    appendRecord(log, id, { atMicros, route, unit: [`unit ${unitHash}`] });
    return id;
  };
  const tell = (predictionId: string, value: number | boolean | string, atMicros: number): Promise<void> => {
    clock.micros = atMicros;
    return log.recordOutcomes([{ predictionId, endpoint: 'delay', value, observedMicros: atMicros }]);
  };

  const early = predict(START, 2, hash);
  const changed = predict(START + MINUTE, 2, 64);
  const late = predict(START + MINUTE, 1, 65);
  const number = predict(START + 2 * MINUTE, 1, 66);
  const text = predict(START + 2 * MINUTE, 1, 67);
  const forced = predict(START, 1, 68, 'forced');
  const nobody = predict(START, 1, 0);
  const young = predict(START + 9 * MINUTE, 1, 69);
  predict(START + 2 * MINUTE, 2, 70);
  await log.flush();
  await tell(changed, false, START + 2 * MINUTE);
  await tell(number, 2.5, START + 3 * MINUTE);
  await tell(text, 'yes', START + 3 * MINUTE);
  for (const id of [early, forced, nobody]) await tell(id, true, START + 4 * MINUTE);
  await tell(young, true, START + 9 * MINUTE);
  // By its unit and a time.
  clock.micros = START + 5 * MINUTE;
  const ofUnit = { unit: ['unit 70'], fromMicros: START };
  await log.recordOutcomes([{ predictionId: ofUnit, endpoint: 'delay', value: true, observedMicros: clock.micros }]);
  // After the age: known by now, and not then.
  await tell(late, true, START + 11 * MINUTE + 1);
  await tell(changed, true, START + 12 * MINUTE);

  const expectAll = async (): Promise<void> => {
    const times = { fromMicros: START, nowMicros: START + 18 * MINUTE, maturityMicros: AGE };
    const found = await maturedOutcomes(duckdb(), { directory: directory(), endpoint: 'delay', ...times });
    const shown = found.map(({ version, revision, n, sum, squares, events }) => [
      `${version} at ${revision}`,
      ...n.flatMap((count, g) => (count === 0 ? [] : [`${g}: ${count} ${sum[g]} ${squares[g]}`])),
      ...events.map(({ unitHash, minute }) => `${unitHash} at ${(minute - START) / MINUTE}`).toSorted(),
    ]);
    expect(shown.toSorted()).toEqual([
      ['1 at 9', '2: 1 2.5 6.25', '66 at 12'],
      ['2 at 9', '0: 1 0 0', `${70 % 64}: 1 1 1`, `${hash % 64}: 1 1 1`, `${hash} at 10`, '70 at 12'],
    ]);
  };
  await expectAll();
  await log.close();
  clock.micros = START + DAY;
  await compact();
  await expectAll();
});
