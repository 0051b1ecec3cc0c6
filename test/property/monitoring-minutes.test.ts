// Rows of several servers, repeated and in any order, are the raw events: counted once each, and each unit's first.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createFirstUnits, firstEvents } from '../../src/monitoring/minutes/first-units.ts';
import { mergeMinutes } from '../../src/monitoring/minutes/merge-minutes.ts';
import { migrateMinutes, type MinuteTables } from '../../src/monitoring/minutes/minute-tables.ts';
import type { MinuteRow } from '../../src/monitoring/minutes/minute-row.ts';
import { fromColumns } from '../../src/monitoring/minutes/row-columns.ts';
import { writeRows } from '../../src/monitoring/minutes/write-minutes.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { armOf, createMinuteServer } from '../support/minute-servers.ts';

const MINUTE = 60_000_000;
const START = 1_800_000_000 * 1_000_000 - ((1_800_000_000 * 1_000_000) % MINUTE);
const SLOW = 5000;

interface Event {
  readonly server: number;
  /** Seconds since the last event; negative: the clock was set back. */
  readonly passed: number;
  readonly variant: 'stable' | 'candidate';
  readonly revision: number;
  readonly unit: number;
  readonly latency: number;
  readonly what: 'row' | 'null' | 'error' | 'refused' | 'outcome';
  /** Whether the server tells after it. */
  readonly tells: boolean;
}

/** `servers`, `revisions`: few where what follows another at the same series matters. */
const events = (passed: fc.Arbitrary<number>, servers: number, revisions: number): fc.Arbitrary<Event[]> =>
  fc.array(
    fc.record({
      server: fc.nat(servers - 1),
      passed,
      variant: fc.constantFrom('stable' as const, 'candidate' as const),
      revision: fc.integer({ min: 1, max: revisions }),
      unit: fc.integer({ min: 1, max: 12 }),
      latency: fc.integer({ min: 1, max: 10_000 }),
      what: fc.constantFrom('row' as const, 'null' as const, 'error' as const, 'refused' as const, 'outcome' as const),
      tells: fc.boolean(),
    }),
    { maxLength: 60 },
  );
const forward = fc.constantFrom(0, 1, 7, 20, 61, 200);
const anywhere = fc.constantFrom(0, 1, 20, 61, 61, 200, -1, -61, -61, -3000, 3000);

const versionOf = ({ variant }: Pick<Event, 'variant'>): number => (variant === 'stable' ? 1 : 2);

/** What the servers told of the events, in any order and some of it again, as the table has it; and each event's time. */
async function told(given: readonly Event[], shuffle: number, clocks: 'one' | 'each') {
  const servers = [0, 1, 2].map((at) => createMinuteServer(`s${at}`));
  for (const { collector } of servers) collector.setSlowLimits(new Map([['eta', SLOW]]));
  let now = START;
  const timed: (Event & { readonly at: number })[] = [];
  const rows = given.flatMap((event) => {
    const server = servers[event.server];
    if (server === undefined) throw new Error('no such server');
    now += event.passed * 1_000_000;
    server.at = clocks === 'one' ? now : now + event.server * 90_000_000;
    timed.push({ ...event, at: server.at });
    const { variant, revision, unit, latency, what } = event;
    const version = versionOf(event);
    const series = armOf(server, { variant, version, revision });
    series.slowMicros = SLOW;
    if (what === 'outcome') server.collector.outcome('eta', { revision, version, unitHash: unit }, latency % 3);
    else if (what === 'error' || what === 'refused') series.failed(what === 'error' ? 'failed' : 'refused', unit);
    else {
      series.row(latency, what === 'null', unit);
      series.answered(latency, 1);
    }
    return event.tells ? server.take() : [];
  });
  rows.push(...servers.flatMap((server) => server.take()));
  const mixed = [...rows, ...rows]
    .map((row, at) => ({ row, by: (Math.imul(at + 1, 2_654_435_761) ^ shuffle) >>> 0 }))
    .sort((a, b) => a.by - b.by);
  const database = await openDatabase('sqlite::memory:');
  try {
    await migrateMinutes(database);
    for (const { row } of mixed) await writeRows(database, [row]);
    const kept = await database.tables<MinuteTables>().selectFrom('monitoring_minutes').selectAll().execute();
    return { timed, rows: kept.map(fromColumns).sort(() => (shuffle % 2 === 0 ? 1 : -1)) };
  } finally {
    await database.close();
  }
}

const minuteOf = (at: number): number => Math.floor(at / MINUTE) * MINUTE;

function naiveCounts(timed: readonly (Event & { readonly at: number })[]): ReadonlyMap<string, readonly number[]> {
  const counts = new Map<string, number[]>();
  for (const event of timed) {
    const { variant, revision, what, latency, at } = event;
    const name = what === 'outcome' ? '' : variant;
    const key = `${minuteOf(at)} ${revision} ${name} ${versionOf(event)}`;
    const sum = counts.get(key) ?? [0, 0, 0, 0, 0, 0, 0, 0];
    counts.set(key, sum);
    const isRow = what === 'row' || what === 'null';
    const add = (place: number, value: number): void => {
      sum[place] = (sum[place] ?? 0) + value;
    };
    add(0, isRow ? 1 : 0);
    add(1, what === 'error' ? 1 : 0);
    add(2, what === 'refused' ? 1 : 0);
    add(3, isRow && latency > SLOW ? 1 : 0);
    add(4, what === 'null' ? 1 : 0);
    add(5, isRow ? latency : 0);
    add(6, what === 'outcome' ? 1 : 0);
    add(7, what === 'outcome' ? latency % 3 : 0);
  }
  return counts;
}

function mergedCounts(rows: readonly MinuteRow[]): ReadonlyMap<string, readonly number[]> {
  const sum = (numbers: readonly number[] | undefined): number =>
    (numbers ?? []).reduce((total, one) => total + one, 0);
  return new Map(
    mergeMinutes(rows).map((one) => [
      `${one.minute} ${one.revision} ${one.variant} ${one.version}`,
      [
        one.rows,
        one.errors,
        one.refused,
        one.slow,
        one.nulls,
        one.latency.sumMicros,
        sum(one.outcomes?.n),
        sum(one.outcomes?.sum),
      ],
    ]),
  );
}

const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

it('counts every event once, whatever the clocks do', async () => {
  await fc.assert(
    fc.asyncProperty(events(anywhere, 2, 1), fc.nat(), async (given, shuffle) => {
      const { timed, rows } = await told(given, shuffle, 'each');
      expect(sorted(mergedCounts(rows))).toEqual(sorted(naiveCounts(timed)));
    }),
    { numRuns: 60 },
  );
});

const KINDS = ['units', 'errorUnits', 'slowUnits', 'nullUnits', 'eventUnits'] as const;

function isEvent(kind: (typeof KINDS)[number], { what, latency }: Event): boolean {
  const isRow = what === 'row' || what === 'null';
  if (kind === 'units') return what !== 'outcome';
  if (kind === 'errorUnits') return what === 'error';
  if (kind === 'nullUnits') return what === 'null';
  return kind === 'slowUnits' ? isRow && latency > SLOW : what === 'outcome' && latency % 3 > 0;
}

it('counts the first event of each unit, and no other of it', async () => {
  await fc.assert(
    fc.asyncProperty(events(forward, 3, 2), fc.nat(), fc.nat(20), async (given, shuffle, cut) => {
      const { timed, rows } = await told(given, shuffle, 'one');
      for (const kind of KINDS) {
        const firsts = new Map<number, readonly [number, number, string, number]>();
        for (const event of timed) {
          if (!isEvent(kind, event)) continue;
          const name = event.what === 'outcome' ? '' : event.variant;
          const place = [minuteOf(event.at), event.revision, name, versionOf(event)] as const;
          const before = firsts.get(event.unit);
          if (before === undefined || compare(place, before) < 0) firsts.set(event.unit, place);
        }
        const expected = new Map<string, number>();
        for (const place of firsts.values()) expected.set(place.join(' '), (expected.get(place.join(' ')) ?? 0) + 1);
        const counted = (found: ReturnType<typeof firstEvents>) =>
          new Map(
            found.flatMap(({ minute, revision, arms, share }) => {
              expect(share).toBe(1);
              return arms.map(
                ({ variant, version, count }) => [[minute, revision, variant, version].join(' '), count] as const,
              );
            }),
          );
        expect(sorted(counted(firstEvents(rows, kind)))).toEqual(sorted(expected));
        // By and by, with the last minutes only looked at.
        const until = minuteOf(START) + cut * MINUTE;
        const units = createFirstUnits(kind);
        const settled = units.settle(rows.filter(({ minute }) => minute < until));
        const later = rows.filter(({ minute }) => minute >= until);
        expect(units.peek(later)).toEqual(units.peek(later));
        expect(sorted(counted([...settled, ...units.peek(later)]))).toEqual(sorted(expected));
        expect(sorted(counted([...settled, ...units.settle(later)]))).toEqual(sorted(expected));
      }
    }),
    { numRuns: 40 },
  );
});

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  const at = a.findIndex((one, place) => one !== b[place]);
  if (at < 0) return 0;
  return (a[at] as never) < (b[at] as never) ? -1 : 1;
}

it('past what a row holds, counts arms by one sample of units', () => {
  const units = (count: number, seed: number): number[] =>
    Array.from({ length: count }, (_, at) => (Math.imul(at + 1, 2_654_435_761) ^ Math.imul(seed, 40_503)) >>> 0);
  const server = createMinuteServer('s0');
  server.at = START;
  const all = { stable: units(20_000, 1), candidate: units(2_000, 2) };
  for (const hash of all.stable) armOf(server).failed('failed', hash);
  for (const hash of all.candidate) armOf(server, { variant: 'candidate', version: 2 }).failed('failed', hash);
  const rows = server.take().map(fromColumns);
  const [counts, ...others] = firstEvents(rows, 'errorUnits');
  expect(others).toEqual([]);
  const share = counts?.share ?? 1;
  expect(share).toBeGreaterThan(0.15);
  expect(share).toBeLessThan(0.3);
  const below = (hashes: readonly number[]): number => hashes.filter((hash) => hash < share * 2 ** 32).length;
  const [stable, candidate] = [new Set(all.stable), all.candidate.filter((hash) => !all.stable.includes(hash))];
  const byVariant = Object.fromEntries((counts?.arms ?? []).map(({ variant, count }) => [variant, count]));
  // Of two arms in one minute the first by name has a unit that both have.
  expect(byVariant['candidate']).toBe(below(all.candidate));
  expect(byVariant['stable']).toBe(below([...stable].filter((hash) => !all.candidate.includes(hash))));
  expect(candidate.length).toBeGreaterThan(0);
});
