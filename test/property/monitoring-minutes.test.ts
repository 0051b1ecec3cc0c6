// Rows of several servers, repeated and in any order, are the raw events: counted once each, and each unit's first.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createPredictionIds, predictionMark } from '../../src/core/index.ts';
import { migrateMinutes, type MinuteTables } from '../../src/monitoring/minutes/minute-tables.ts';
import type { MinuteRow } from '../../src/monitoring/minutes/minute-row.ts';
import { fromColumns } from '../../src/monitoring/minutes/row-columns.ts';
import { writeRows } from '../../src/monitoring/minutes/write-minutes.ts';
import { type Phase, NOTHING_WARM } from '../../src/rollouts/controller/rollout.ts';
import { byMinute, createTally, type EventKind, type Tally } from '../../src/rollouts/controller/tally.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { armOf, createMinuteServer } from '../support/minute-servers.ts';
import { runs } from '../support/tier.ts';

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

const nextId = createPredictionIds();
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
    if (what === 'outcome')
      server.collector.outcome('eta', nextId(predictionMark(revision, version), unit), latency % 3);
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

function summedCounts(rows: readonly MinuteRow[]): ReadonlyMap<string, readonly number[]> {
  const sum = (numbers: readonly number[] = []): number => numbers.reduce((total, one) => total + one, 0);
  const sums = new Map<string, readonly number[]>();
  for (const row of rows) {
    const { minute, revision, variant, version, outcomes, latency } = row;
    const key = `${minute} ${revision} ${variant} ${version}`;
    const own = [row.rows, row.errors, row.refused, row.slow, row.nulls, latency.sumMicros];
    const counts = [...own, sum(outcomes?.n), sum(outcomes?.sum)];
    sums.set(
      key,
      (sums.get(key) ?? counts.map(() => 0)).map((before, place) => before + (counts[place] ?? 0)),
    );
  }
  return sums;
}

const sorted = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

it('counts every event once, whatever the clocks do', async () => {
  await fc.assert(
    fc.asyncProperty(events(anywhere, 2, 1), fc.nat(), async (given, shuffle) => {
      const { timed, rows } = await told(given, shuffle, 'each');
      expect(sorted(summedCounts(rows))).toEqual(sorted(naiveCounts(timed)));
    }),
    { numRuns: runs(60) },
  );
});

const ARMS = { candidate: 2, stable: 1, candidateName: 'candidate', stableName: 'stable' };
const PHASES: readonly Phase[] = [1, 2].map((revision) => ({
  revision,
  weight: 50,
  fromMicros: START,
  warm: NOTHING_WARM,
}));
const KINDS: readonly EventKind[] = ['error', 'slow', 'null', 'outcome'];

/** What a rollout makes of the rows. */
function tallied(rows: readonly MinuteRow[], into: Tally = createTally(ARMS, PHASES)): Tally {
  for (const minute of byMinute(rows)) into.add(minute);
  return into;
}

function isEvent(kind: EventKind | 'units', { what, latency }: Event): boolean {
  const isRow = what === 'row' || what === 'null';
  if (kind === 'units') return what !== 'outcome';
  if (kind === 'error' || kind === 'null') return what === kind;
  return kind === 'slow' ? isRow && latency > SLOW : what === 'outcome' && latency % 3 > 0;
}

type Place = readonly [minute: number, revision: number, server: number, variant: string];

/** Of each unit the first by minute, revision, server and variant. */
function firstPlaces(timed: readonly (Event & { readonly at: number })[], kind: EventKind | 'units'): readonly Place[] {
  const firsts = new Map<number, Place>();
  for (const event of timed) {
    if (!isEvent(kind, event)) continue;
    const place: Place = [minuteOf(event.at), event.revision, event.server, event.variant];
    const before = firsts.get(event.unit);
    if (before === undefined || isEarlier(place, before)) firsts.set(event.unit, place);
  }
  return [...firsts.values()];
}

function isEarlier(a: Place, b: Place): boolean {
  const at = a.findIndex((one, place) => one !== b[place]);
  const [own, other] = [a[at], b[at]];
  return own !== undefined && other !== undefined && own < other;
}

/** Units, and the candidate's among them, by `keyOf`. */
function countPlaces(
  places: readonly Place[],
  keyOf: (place: Place) => string,
): ReadonlyMap<string, readonly number[]> {
  const counts = new Map<string, readonly number[]>();
  for (const place of places) {
    const [all = 0, candidate = 0] = counts.get(keyOf(place)) ?? [];
    counts.set(keyOf(place), [all + 1, candidate + (place[3] === 'candidate' ? 1 : 0)]);
  }
  return counts;
}

/** Which version an outcome is of is left out: a unit's two versions in one minute come in no order. */
const eventCounts = (tally: Tally, kind: EventKind) =>
  tally
    .events(kind)
    .map(({ minute, revision, k, kc }) => [`${minute} ${revision}`, kind === 'outcome' ? [k] : [k, kc]] as const);

const unitCounts = (tally: Tally) =>
  tally.phases.map(({ stableUnits, candidateUnits }) => [stableUnits + candidateUnits, candidateUnits]);

it('lets a rollout count each unit, and its first event, once', async () => {
  await fc.assert(
    fc.asyncProperty(events(forward, 3, 2), fc.nat(), fc.nat(20), async (given, shuffle, cut) => {
      const { timed, rows } = await told(given, shuffle, 'one');
      const whole = tallied(rows);
      for (const kind of KINDS) {
        const expected = countPlaces(firstPlaces(timed, kind), ([minute, revision]) => `${minute} ${revision}`);
        const counted = new Map(eventCounts(whole, kind));
        expect(sorted(counted)).toEqual(
          sorted(expected).map(([key, counts]) => [key, kind === 'outcome' ? [counts[0]] : counts]),
        );
        expect(whole.share(kind)).toBe(1);
      }
      const units = countPlaces(firstPlaces(timed, 'units'), ([, revision]) => String(revision));
      expect(unitCounts(whole)).toEqual(PHASES.map(({ revision }) => units.get(String(revision)) ?? [0, 0]));
      // By and by, with the last minutes only looked at.
      const until = minuteOf(START) + cut * MINUTE;
      const settled = tallied(rows.filter(({ minute }) => minute < until));
      const later = rows.filter(({ minute }) => minute >= until);
      for (const looked of [tallied(later, settled.fork()), tallied(later, settled.fork()), tallied(later, settled)]) {
        for (const kind of KINDS) expect(eventCounts(looked, kind)).toEqual(eventCounts(whole, kind));
        expect(unitCounts(looked)).toEqual(unitCounts(whole));
      }
    }),
    { numRuns: runs(40) },
  );
});

it('past what a row holds, lets a rollout count both arms by one sample of units', () => {
  const units = (count: number, seed: number): number[] =>
    Array.from({ length: count }, (_, at) => (Math.imul(at + 1, 2_654_435_761) ^ Math.imul(seed, 40_503)) >>> 0);
  const server = createMinuteServer('s0');
  server.at = START;
  const all = { stable: units(20_000, 1), candidate: units(2_000, 2) };
  for (const hash of all.stable) armOf(server).failed('failed', hash);
  for (const hash of all.candidate) armOf(server, { variant: 'candidate', version: 2 }).failed('failed', hash);
  const rows = server.take().map(fromColumns);
  const tally = tallied(rows);
  const share = tally.share('error');
  expect(share).toBeGreaterThan(0.15);
  expect(share).toBeLessThan(0.3);
  const below = (hashes: readonly number[]): number => hashes.filter((hash) => hash < share * 2 ** 32).length;
  // Of two arms in one minute the first by name has a unit that both have.
  const shared = new Set(all.candidate);
  expect(tally.events('error')).toMatchObject([
    { k: below(all.candidate) + below(all.stable.filter((hash) => !shared.has(hash))), kc: below(all.candidate) },
  ]);
});
