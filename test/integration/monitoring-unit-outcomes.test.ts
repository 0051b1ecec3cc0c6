// Outcomes that are told of a unit and a time: which prediction they find, against a search by hand, wherever both lie.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import type { OutcomeEntry, PredictionLog } from '../../src/monitoring/index.ts';
import { NOW, useLogFolder, outcomeOf } from '../support/log-folder.ts';
import { appendRecord } from '../support/prediction-records.ts';
import { isFull, runs } from '../support/tier.ts';

const { open, compact, query, files } = useLogFolder();

const at = (hours: number): number => NOW + hours * MICROS_PER_HOUR;

const tell = (unit: readonly string[], fromHours: number, atHours: number, value: OutcomeEntry['value']) => ({
  ...outcomeOf({ unit, fromMicros: at(fromHours) }, value),
  observedMicros: at(atHours),
});

const FOUND = `SELECT prediction_id, outcome->>'$' FROM predictions WHERE recorded_at IS NOT NULL ORDER BY ALL`;

describe('an outcome of a unit', () => {
  it('is of its newest prediction before it, in segments and in Parquet, and in a range that ends before', async () => {
    const log = open();
    const predict = (id: string, hours: number, unit = ['ATL']) => appendRecord(log, id, { unit, atMicros: at(hours) });
    predict('a', 0);
    predict('b', 2);
    // What a shadow made of it is nothing that an outcome is told of.
    predict('b~4', 2);
    predict('c', 2, ['ATL', '7']);
    predict('d', 5);
    await log.recordOutcomes([
      tell(['ATL'], 0, 3, 'first'),
      tell(['JFK'], 0, 3, 'nobody'),
      tell(['ATL', '7'], 0, 2, 'two'),
    ]);
    // Too late for any, and before any.
    await log.recordOutcomes([tell(['ATL'], 6, 9, 'outside'), tell(['ATL'], -9, -1, 'before')]);
    const found = async () => Object.fromEntries((await query(FOUND)) as [string, string][]);
    expect(await found()).toEqual({ b: 'first', c: 'two' });
    await log.close();
    await compact();
    expect(files('.parquet').filter((file) => file.startsWith('unit_outcomes'))).toHaveLength(1);
    expect(await found()).toEqual({ b: 'first', c: 'two' });
    // Told anew, and of a row by its id: the one that was recorded last.
    const again = open({ clock: { nowMicros: () => NOW + 1 } });
    await again.recordOutcomes([
      tell(['ATL'], 0, 3, 'second'),
      { predictionId: 'c', endpoint: 'delay', value: 'by id', observedMicros: at(1) },
    ]);
    await again.close();
    expect(await found()).toEqual({ b: 'second', c: 'by id' });
    // Of another endpoint it is another's.
    await compact();
    expect(await query(FOUND)).toHaveLength(2);
  });

  it('may be of any time before it, as far back as times go', async () => {
    const log = open();
    appendRecord(log, 'old', { unit: ['ATL'], atMicros: 0 });
    const ever = { unit: ['ATL'], fromMicros: Number.MIN_SAFE_INTEGER };
    await log.recordOutcomes([outcomeOf(ever, 'found')]);
    expect(await query(FOUND)).toEqual([['old', 'found']]);
    await log.close();
    await compact();
    expect(await query(FOUND)).toEqual([['old', 'found']]);
  });

  it('is found as a search by hand finds it', async () => {
    const unit = fc.constantFrom('a', 'b');
    const hour = fc.integer({ min: 0, max: 6 });
    const predictions = fc.array(fc.record({ unit, hour }), { maxLength: 12 });
    const outcomes = fc.array(fc.record({ unit, from: hour, at: hour }), { maxLength: 6 });
    const logged = async (
      log: PredictionLog,
      [made, told]: [{ unit: string; hour: number }[], { unit: string; from: number; at: number }[]],
      run: number,
    ) => {
      made.forEach((one, i) =>
        appendRecord(log, `r${run}-${String(i).padStart(2, '0')}`, {
          unit: [`${run}${one.unit}`],
          atMicros: at(one.hour),
        }),
      );
      await log.recordOutcomes(told.map((one, i) => tell([`${run}${one.unit}`], one.from, one.at, i)));
    };
    const cases = fc.sample(fc.tuple(predictions, outcomes), { numRuns: runs(80), seed: 7 });
    const expected = new Map<string, number>();
    for (const [run, given] of cases.entries()) {
      // Each outcome at a moment of its own, so that the last one wins.
      for (const [i, one] of given[1].entries()) {
        const fitting = given[0].flatMap((made, at) =>
          made.unit === one.unit && made.hour <= one.at ? [{ ...made, at }] : [],
        );
        const newest = fitting.toSorted((x, y) => x.hour - y.hour || x.at - y.at).at(-1);
        if (newest !== undefined && newest.hour >= one.from)
          expected.set(`r${run}-${String(newest.at).padStart(2, '0')}`, i);
      }
      // Different outcomes of one prediction, recorded at once: which one wins is told by when they were observed and by their text.
      const log = open({ clock: { nowMicros: () => NOW + run } });
      await logged(log, given, run);
      await log.close();
      if (run % 3 === 2) await compact();
    }
    const found = await query(`SELECT prediction_id FROM predictions WHERE recorded_at IS NOT NULL ORDER BY ALL`);
    expect(found.map(([id]) => id)).toEqual([...expected.keys()].sort());
    expect(expected.size).toBeGreaterThan(isFull ? 20 : 3);
  });
});
