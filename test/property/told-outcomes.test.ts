// Outcomes that are told again and corrected, in any order and over any minutes, add up to the last one of each prediction.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPredictionIds, predictionMark } from '../../src/core/index.ts';
import { createMinuteCollector } from '../../src/monitoring/minutes/collect-minutes.ts';
import type { PackedMinute } from '../../src/monitoring/minutes/minute-cell.ts';
import { createToldOutcomes } from '../../src/monitoring/minutes/told-outcomes.ts';
import { unpackHashes } from '../../src/statistics/index.ts';

const START = 1_800_000_000_000_000;
const UNITS = [7, 71, 8, 4_000_000_007];
const VERSIONS = [1, 2];
const nextId = createPredictionIds();
/** Two of each unit at each version: 71 is of one group with 7. */
const PREDICTIONS = [...UNITS, ...UNITS].flatMap((unit) =>
  VERSIONS.map((version) => ({ unit, version, id: nextId(predictionMark(3, version), unit) })),
);

interface Told {
  readonly of: number;
  /** Undefined: text, or null. */
  readonly value: number | undefined;
  readonly passed: number;
  readonly isTaken: boolean;
}

const told: fc.Arbitrary<Told[]> = fc.array(
  fc.record({
    of: fc.nat(PREDICTIONS.length - 1),
    value: fc.constantFrom(0, 0, 1, 1, 2.5, -3, undefined),
    passed: fc.constantFrom(0, 0, 1, 30, 61, 400),
    isTaken: fc.boolean(),
  }),
  { maxLength: 60 },
);

/** By version: how many, their sum and their squares by group; and the units that ever had one that is not 0. */
type Sums = Readonly<Record<string, readonly number[]>>;

/** Keeps the last one of each prediction, and looks at them all. */
function naive(given: readonly Told[]): { sums: Sums; events: readonly string[] } {
  const last = new Map<number, number | undefined>();
  const events = new Set<string>();
  for (const { of, value } of given) {
    last.set(of, value);
    const { version, unit } = PREDICTIONS[of] as (typeof PREDICTIONS)[number];
    if (value !== undefined && value !== 0) events.add(`${version} ${unit}`);
  }
  const sums: Record<string, number[]> = {};
  for (const [of, value] of last) {
    if (value === undefined) continue;
    const { version, unit } = PREDICTIONS[of] as (typeof PREDICTIONS)[number];
    const key = `${version} ${unit % 64}`;
    const [n = 0, sum = 0, squares = 0] = sums[key] ?? [];
    sums[key] = [n + 1, sum + value, squares + value * value];
  }
  return { sums, events: [...events].sort() };
}

function added(rows: readonly PackedMinute[]): Sums {
  const sums: Record<string, number[]> = {};
  for (const { version, outcomes } of wholeOf(rows)) {
    outcomes?.n.forEach((count, group) => {
      const before = sums[`${version} ${group}`] ?? [0, 0, 0];
      const own = [count, outcomes.sum[group] ?? 0, outcomes.squares[group] ?? 0];
      sums[`${version} ${group}`] = before.map((one, at) => one + (own[at] ?? 0));
    });
  }
  return Object.fromEntries(Object.entries(sums).filter(([, own]) => own.some((one) => one !== 0)));
}

/** Of a minute that was taken twice the later row is the whole of it. */
function wholeOf(rows: readonly PackedMinute[]): PackedMinute[] {
  return [...new Map(rows.map((row) => [`${row.minute} ${row.version} ${row.turn}`, row])).values()];
}

function eventsOf(rows: readonly PackedMinute[]): string[] {
  const events = wholeOf(rows).flatMap(({ version, outcomes }) =>
    outcomes === null ? [] : [...unpackHashes(outcomes.eventUnits).hashes()].map((unit) => `${version} ${unit}`),
  );
  return [...new Set(events)].sort();
}

it('count once each, by the last of them, and a unit that had an event keeps it', () => {
  fc.assert(
    fc.property(told, (given) => {
      let now = START;
      const collector = createMinuteCollector(() => now);
      const rows: PackedMinute[] = [];
      for (const { of, value, passed, isTaken } of given) {
        now += passed * 1_000_000;
        collector.outcome('eta', (PREDICTIONS[of] as (typeof PREDICTIONS)[number]).id, value);
        if (isTaken) rows.push(...collector.take('all'));
      }
      rows.push(...collector.take('all'));
      expect({ sums: added(rows), events: eventsOf(rows) }).toEqual(naive(given));
    }),
    { numRuns: 300 },
  );
});

it('write nothing where they are told again', () => {
  const collector = createMinuteCollector(() => START);
  const { id } = PREDICTIONS[0] as (typeof PREDICTIONS)[number];
  collector.outcome('eta', id, 1);
  expect(collector.take('all')).toHaveLength(1);
  collector.outcome('eta', id, 1);
  expect(collector.take('all')).toEqual([]);
  // The same id at another endpoint is another prediction.
  collector.outcome('other', id, 1);
  expect(collector.take('all')).toHaveLength(1);
});

it('are remembered within bounds: one of long ago counts as new', () => {
  const collector = createMinuteCollector(() => START, createToldOutcomes(4));
  const ids = Array.from({ length: 8 }, () => nextId(predictionMark(3, 1), 7));
  for (const id of ids) collector.outcome('eta', id, 1);
  const countOf = (): number => collector.take('all').at(-1)?.outcomes?.n[7] ?? 0;
  expect(countOf()).toBe(8);
  collector.outcome('eta', ids.at(-1) ?? '', 1);
  expect(countOf()).toBe(0);
  collector.outcome('eta', ids[0] ?? '', 1);
  expect(countOf()).toBe(9);
});

it('that are too great for sums of squares count as no number, and what corrects one counts', () => {
  let now = START;
  const collector = createMinuteCollector(() => now);
  const { id } = PREDICTIONS[0] as (typeof PREDICTIONS)[number];
  collector.outcome('checkout', id, 1e200);
  collector.outcome('checkout', id, 3);
  now += 60_000_000;
  collector.outcome('checkout', id, -1e200);
  collector.outcome('checkout', id, 2);
  expect(added(collector.take('all'))).toEqual({ '1 7': [1, 2, 4] });
});

it('of more revisions than are kept count nothing, and a correction of one takes nothing away', () => {
  let now = START;
  const collector = createMinuteCollector(() => now);
  const ids = Array.from({ length: 101 }, (_, revision) => nextId(predictionMark(revision + 1, 1), 7));
  for (const id of ids) collector.outcome('checkout', id, 1);
  expect(collector.take('all')).toHaveLength(100);
  // The others rest by then.
  now += 10 * 60_000_000;
  collector.outcome('checkout', ids.at(-1) ?? '', 0);
  const [corrected] = collector.take('all').filter(({ revision }) => revision === 101);
  expect(corrected?.outcomes?.n[7]).toBe(1);
  expect(corrected?.outcomes?.sum[7]).toBe(0);
});
