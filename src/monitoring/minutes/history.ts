// What was counted, as series over time: of each endpoint, arm, service and view, by the minute or by the hour.

import { setImmediate as breathe } from 'node:timers/promises';
import {
  type Clock,
  compareTexts,
  floorTo,
  invalid,
  type Micros,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
} from '../../core/index.ts';
import { createSharedClock, type Database } from '../../storage/index.ts';
import {
  clearSketch,
  createSketch,
  type LatencySketch,
  mergeSketch,
  quantileMicros,
  unpackSketch,
} from '../monitor/latency-sketch.ts';
import { addCounts, noCounts, type Writable } from './minute-counts.ts';
import type { MinuteCounts, SeriesKind } from './minute-row.ts';
import { migrateMinutes, type MinuteTables } from './minute-tables.ts';
import { type CountColumns, countsOf, readSketch } from './row-columns.ts';

export type HistoryStep = 'minute' | 'hour';

export interface HistoryQuestion {
  /** All when none of the three is named. */
  readonly endpoint?: string | undefined;
  /** A variant of it: `candidate`, `experiment/arm`. */
  readonly arm?: string | undefined;
  readonly view?: string | undefined;
  /** The last hour of minutes, or day of hours, when left out. */
  readonly from?: Micros | undefined;
  /** Now when left out. */
  readonly to?: Micros | undefined;
  readonly step: HistoryStep;
  /** Whether whoever asks may see an endpoint; all when left out. Services and views are not theirs who may see only some. */
  readonly maySee?: ((endpoint: string) => boolean) | undefined;
}

export interface HistoryPoint extends MinuteCounts {
  readonly at: Micros;
  /** Of answered requests, each within 1 %; null where none was. */
  readonly latency: { readonly p50Micros: number; readonly p90Micros: number; readonly p99Micros: number } | null;
}

export interface ViewPoint {
  readonly at: Micros;
  /** Of an hour the worst. */
  readonly freshnessSeconds: number | null;
  readonly coverage: number;
  readonly uncovered: number;
}

export type HistorySeries =
  | { readonly kind: 'endpoint' | 'service'; readonly name: string; readonly points: readonly HistoryPoint[] }
  | {
      readonly kind: 'arm';
      readonly name: string;
      readonly variant: string;
      readonly version: number;
      readonly points: readonly HistoryPoint[];
    }
  | { readonly kind: 'view'; readonly name: string; readonly version: string; readonly points: readonly ViewPoint[] };

export interface History {
  readonly step: HistoryStep;
  readonly from: Micros;
  readonly to: Micros;
  /** By kind, name, variant and version; those with any point. */
  readonly series: readonly HistorySeries[];
}

/** Throws HR_INVALID for a stretch that is empty or has too many points, and what the database throws. */
export type ReadHistory = (question: HistoryQuestion) => Promise<History>;

/** Of one answer. A day of minutes of an endpoint with nine arms has 14,400. */
const MOST_POINTS = 20_000;
const STEP_MICROS = { minute: MICROS_PER_MINUTE, hour: MICROS_PER_HOUR } as const;
/** Rows are read in stretches of so many steps: each is read at once, and requests get their turn between two. */
const STRETCH_STEPS = 10;

/** `mostPoints`: of one answer. */
export async function openHistory(opened: Database, clock: Clock, mostPoints = MOST_POINTS): Promise<ReadHistory> {
  const database = await migrateMinutes(opened);
  const shared = createSharedClock(database, clock);
  // One after another: an answer may be long.
  let reading: Promise<unknown> = Promise.resolve();
  return (question) => {
    const asked = reading.then(async () => read({ database, mostPoints }, question, await shared.set()));
    reading = asked.catch(() => {});
    return asked;
  };
}

async function read(
  { database, mostPoints }: { readonly database: Database; readonly mostPoints: number },
  question: HistoryQuestion,
  now: Micros,
): Promise<History> {
  const { step } = question;
  const stepMicros = STEP_MICROS[step];
  // The minute that begins now, too.
  const to = question.to ?? now + 1;
  const from = floorTo(question.from ?? to - (step === 'minute' ? 60 : 24) * stepMicros, stepMicros);
  if (from >= to) throw invalid([{ path: '?from', message: 'expected a time before `to`: the stretch is empty' }]);
  const stretch = { database, question, from, to };
  const names = await namesIn(stretch);
  const points = (await countPoints(stretch, names)) + (seesViews(question) ? await countViews(stretch) : 0);
  if (points > mostPoints) throw tooMany(step, points, mostPoints);
  const series: HistorySeries[] = [];
  for (const name of names) series.push(...(await readSeries(stretch, name)));
  if (seesViews(question)) series.push(...(await readViews(stretch)));
  return { step, from, to, series };
}

function tooMany(step: HistoryStep, points: number, most: number): Error {
  const narrower = step === 'minute' ? 'one `endpoint` or `view`, or `step=hour`' : 'or one `endpoint` or `view`';
  const message = `up to \`to\` there are ${points} points, and an answer has ${most} at most: ask for a shorter stretch, ${narrower}`;
  return invalid([{ path: '?from', message }]);
}

interface Stretch {
  readonly database: Database;
  readonly question: HistoryQuestion;
  readonly from: Micros;
  readonly to: Micros;
}

interface SeriesName {
  readonly kind: Exclude<SeriesKind, 'outcome'>;
  readonly name: string;
}

const KINDS: readonly string[] = ['endpoint', 'arm', 'service'] satisfies SeriesKind[];

/** Those that have rows, by kind and name. */
async function namesIn({ database, question, from, to }: Stretch): Promise<readonly SeriesName[]> {
  const { endpoint, arm, view, maySee, step } = question;
  if (view !== undefined && endpoint === undefined && arm === undefined) return [];
  const db = database.tables<MinuteTables>();
  const minutes = db
    .selectFrom('monitoring_minutes')
    .select(['kind', 'name'])
    .distinct()
    .where('minute', '>=', from)
    .where('minute', '<', to);
  const hours = db
    .selectFrom('monitoring_hours')
    .select(['kind', 'name'])
    .distinct()
    .where('hour', '>=', from)
    .where('hour', '<', to);
  const rows = [...(await minutes.execute()), ...(step === 'hour' ? await hours.execute() : [])];
  const named = new Map(rows.map((row) => [`${KINDS.indexOf(row.kind)} ${row.name}`, row]));
  return (
    [...named]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      // Those of `KINDS` are what the filter leaves.
      .map(([, row]) => row as SeriesName)
      .filter(({ kind, name }) => {
        if (!KINDS.includes(kind) || (arm !== undefined && kind !== 'arm')) return false;
        if (kind === 'service') return endpoint === undefined && maySee === undefined;
        return (endpoint === undefined || name === endpoint) && maySee?.(name) !== false;
      })
  );
}

/** Of an hour under way a few less than there are. */
async function countPoints({ database, question, from, to }: Stretch, names: readonly SeriesName[]): Promise<number> {
  if (names.length === 0) return 0;
  const { arm, step } = question;
  const db = database.tables<MinuteTables>();
  const kinds = [...new Set(names.map(({ kind }) => kind))];
  const named = [...new Set(names.map(({ name }) => name))];
  if (step === 'hour') {
    let hours = db
      .selectFrom('monitoring_hours')
      .select((row) => row.fn.countAll<number>().as('points'))
      .where('kind', 'in', kinds)
      .where('name', 'in', named)
      .where('hour', '>=', from)
      .where('hour', '<', to);
    if (arm !== undefined) hours = hours.where('variant', '=', arm);
    return (await hours.executeTakeFirstOrThrow()).points;
  }
  let minutes = db
    .selectFrom('monitoring_minutes')
    .select(['kind', 'name', 'variant', 'version', 'minute'])
    .distinct()
    .where('kind', 'in', kinds)
    .where('name', 'in', named)
    .where('minute', '>=', from)
    .where('minute', '<', to);
  if (arm !== undefined) minutes = minutes.where('variant', '=', arm);
  const counted = db.selectFrom(minutes.as('counted')).select((row) => row.fn.countAll<number>().as('points'));
  return (await counted.executeTakeFirstOrThrow()).points;
}

async function countViews({ database, question, from, to }: Stretch): Promise<number> {
  let views = database
    .tables<MinuteTables>()
    .selectFrom('monitoring_views')
    .select((row) => row.fn.countAll<number>().as('points'))
    .where('step', '=', question.step)
    .where('at', '>=', from)
    .where('at', '<', to);
  if (question.view !== undefined) views = views.where('view', '=', question.view);
  return (await views.executeTakeFirstOrThrow()).points;
}

const seesViews = ({ endpoint, arm, maySee }: HistoryQuestion): boolean =>
  endpoint === undefined && arm === undefined && maySee === undefined;

interface Sum {
  readonly variant: string;
  readonly version: number;
  /** In the order of their times; the last one's latencies are in `latency` until the next comes. */
  readonly points: Writable<HistoryPoint>[];
  readonly latency: LatencySketch;
}

async function readSeries(stretch: Stretch, { kind, name }: SeriesName): Promise<readonly HistorySeries[]> {
  const { database, question, from, to } = stretch;
  const db = database.tables<MinuteTables>();
  const stepMicros = STEP_MICROS[question.step];
  const sums = new Map<string, Sum>();
  // Hours that were made; what came later is in minutes alone.
  const made = question.step === 'hour' ? await hoursMadeUpTo(database) : -Infinity;
  const hours = await spanOf(stretch, 'hour', { kind, name }, from, Math.min(to, made));
  await eachStretch(hours, stepMicros, async (start, end) => {
    const rows = await db
      .selectFrom('monitoring_hours')
      .selectAll()
      .where('kind', '=', kind)
      .where('name', '=', name)
      .where('hour', '>=', start)
      .where('hour', '<', end)
      .orderBy('hour')
      .execute();
    add(
      stretch,
      sums,
      rows.map((row) => ({ ...row, at: row.hour })),
    );
  });
  const minutes = await spanOf(stretch, 'minute', { kind, name }, Math.max(from, made), to);
  await eachStretch(minutes, MICROS_PER_MINUTE, async (start, end) => {
    const rows = await db
      .selectFrom('monitoring_minutes')
      .select(['minute', 'variant', 'version', 'requests', 'rows', 'errors', 'refused', 'rejected', 'slow', 'nulls'])
      .select(['breaker_opens', 'latency'])
      .where('kind', '=', kind)
      .where('name', '=', name)
      .where('minute', '>=', start)
      .where('minute', '<', end)
      .orderBy('minute')
      .execute();
    add(
      stretch,
      sums,
      rows.map((row) => ({ ...row, at: floorTo(row.minute, stepMicros) })),
    );
  });
  return [...sums.values()]
    .toSorted((a, b) => compareTexts(a.variant, b.variant) || a.version - b.version)
    .map((sum): HistorySeries => {
      endPoint(sum);
      const { variant, version, points } = sum;
      return kind === 'arm' ? { kind, name, variant, version, points } : { kind, name, points };
    });
}

interface Span {
  readonly from: Micros;
  readonly to: Micros;
}

/** One after another, with a turn for requests behind each. */
async function eachStretch(
  { from, to }: Span,
  stepMicros: Micros,
  read: (from: Micros, to: Micros) => Promise<void>,
): Promise<void> {
  const length = STRETCH_STEPS * stepMicros;
  for (let at = from; at < to; at += length) {
    await read(at, Math.min(at + length, to));
    await breathe();
  }
}

/** Where a series has rows: whoever asks may ask from the beginning of time. */
async function spanOf(
  { database }: Stretch,
  step: HistoryStep,
  { kind, name }: SeriesName,
  from: Micros,
  to: Micros,
): Promise<Span> {
  const none = { from, to: from };
  if (to <= from) return none;
  const db = database.tables<MinuteTables>();
  const span =
    step === 'hour'
      ? db
          .selectFrom('monitoring_hours')
          .select((row) => [row.fn.min('hour').as('first'), row.fn.max('hour').as('last')])
          .where('hour', '>=', from)
          .where('hour', '<', to)
          .where('kind', '=', kind)
          .where('name', '=', name)
      : db
          .selectFrom('monitoring_minutes')
          .select((row) => [row.fn.min('minute').as('first'), row.fn.max('minute').as('last')])
          .where('minute', '>=', from)
          .where('minute', '<', to)
          .where('kind', '=', kind)
          .where('name', '=', name);
  const found = await span.executeTakeFirstOrThrow();
  // The type leaves out that a series without rows has neither.
  const { first, last } = found as { readonly first: Micros | null; readonly last: Micros | null };
  return first === null || last === null ? none : { from: first, to: last + 1 };
}

type CountedRow = CountColumns & { readonly at: Micros; readonly variant: string; readonly version: number };

function add({ question }: Stretch, sums: Map<string, Sum>, rows: readonly CountedRow[]): void {
  for (const row of rows) {
    const { variant, version, at } = row;
    if (question.arm !== undefined && question.arm !== variant) continue;
    const key = JSON.stringify([variant, version]);
    const sum: Sum = sums.get(key) ?? { variant, version, points: [], latency: createSketch() };
    sums.set(key, sum);
    let point = sum.points.at(-1);
    if (point?.at !== at) {
      endPoint(sum);
      sum.points.push((point = { at, ...noCounts(), latency: null }));
    }
    addCounts(point, countsOf(row));
    mergeSketch(sum.latency, unpackSketch(readSketch(row.latency)));
  }
}

function endPoint({ points, latency }: Sum): void {
  const point = points.at(-1);
  const [p50Micros, p90Micros, p99Micros] = [0.5, 0.9, 0.99].map((q) => quantileMicros(latency, q));
  if (point !== undefined && p50Micros != null && p90Micros != null && p99Micros != null)
    point.latency = { p50Micros, p90Micros, p99Micros };
  clearSketch(latency);
}

/** All hours that had ended by then were made from minutes. */
async function hoursMadeUpTo(database: Database): Promise<Micros> {
  const row = await database
    .tables<MinuteTables>()
    .selectFrom('monitoring_rollup')
    .select('through')
    .executeTakeFirst();
  return floorTo(row?.through ?? 0, MICROS_PER_HOUR);
}

async function readViews({ database, question, from, to }: Stretch): Promise<readonly HistorySeries[]> {
  const { step, view } = question;
  let query = database
    .tables<MinuteTables>()
    .selectFrom('monitoring_views')
    .selectAll()
    .where('step', '=', step)
    .where('at', '>=', from)
    .where('at', '<', to);
  if (view !== undefined) query = query.where('view', '=', view);
  const rows = await query.orderBy('view').orderBy('version').orderBy('at').execute();
  const series = new Map<string, { kind: 'view'; name: string; version: string; points: ViewPoint[] }>();
  for (const { view: name, version, at, freshness, coverage, uncovered } of rows) {
    const key = JSON.stringify([name, version]);
    const one = series.get(key) ?? { kind: 'view', name, version, points: [] };
    series.set(key, one);
    one.points.push({ at, freshnessSeconds: freshness, coverage, uncovered });
  }
  return [...series.values()];
}
