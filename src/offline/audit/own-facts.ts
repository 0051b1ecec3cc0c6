// The facts of some keys, read for an audit by a path of its own: the files that a record names, whole and uncast, cell by cell; the
// log through its port; derived columns, times, the boundary and rules row by row. So a mistake in what training sets are made
// with (casts, rules in SQL, times, the log's cache) is not in both. What both have: the functions and SQL of derived columns, and the
// hash by which a released row is known.

import { createHash } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import { loadReleases, NOTHING_RELEASED } from '../../checks/index.ts';
import {
  type ErrorDetail,
  formatTimestamp,
  HeadraceError,
  INVALID,
  type Micros,
  type Row,
  typeName,
} from '../../core/index.ts';
import { knownColumn, settingApart, type SourceSpec } from '../../definitions/index.ts';
import { type Coverage, coveredCut } from '../../online/index.ts';
import { createRowDeriver, type RowDeriver } from '../facts/row-deriver.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import type { SourceSnapshot } from '../training-sets/record.ts';
import { FactTable } from './fact-table.ts';
import { denyingFolder } from './folder-times.ts';
import { type RawRow, rawRows, wholeRow } from './raw-files.ts';
import { releasesOf } from './released-rows.ts';
import { apartRules, compareKnown, type TimedRow } from './rules.ts';
import { type SampledKeys, type WantedKeys, wantedKeys } from './wanted-keys.ts';

export interface OwnFacts {
  readonly source: SourceSpec;
  /** A temporary table of the connection: columns as `Facts` has them, without a row's number and file. */
  readonly relation: string;
  /** What is wrong with the rows themselves, at most MOST_MISTAKES. */
  readonly mistakes: readonly ErrorDetail[];
  /** Of the pushed rows that count; null where none was read. */
  readonly pushed: { readonly rows: number; readonly sha256: string; readonly isRemoved: boolean } | null;
}

const MOST_MISTAKES = 20;
const BATCH = 2048;

/** `was`: what the set's record says of the source. Throws HR_TRANSFORM_FAILED, HR_CODE_MISSING, and what the log throws. */
export async function openOwnFacts(
  connection: DuckDBConnection,
  deps: OfflineDeps,
  source: SourceSpec,
  sampled: readonly SampledKeys[],
  snapshot: PinnedSnapshot,
  was: SourceSnapshot | undefined,
): Promise<OwnFacts> {
  const mistakes: ErrorDetail[] = [];
  const table = await FactTable.open(connection, source);
  const wanted = wantedKeys(source, sampled);
  const derive = createRowDeriver(deps.definitions, source, async () => deps.duckdb);
  const boundary = boundaryOf(source, was);
  const files = await deps.duckdb.connect();
  try {
    const context = { source, wanted, derive, boundary, mistakes, table, snapshot, files };
    await readFiles(context, deps, was);
    const pushed = await readLog(context, deps, was);
    table.close();
    return { source, relation: table.name, mistakes, pushed };
  } finally {
    files.closeSync();
  }
}

interface Reading {
  readonly source: SourceSpec;
  readonly wanted: WantedKeys;
  readonly derive: RowDeriver;
  /** Rows of files count up to it in event time, those of the log past it; with `pushes: 'keep'` all do. */
  readonly boundary: Micros;
  readonly mistakes: ErrorDetail[];
  readonly table: FactTable;
  readonly snapshot: PinnedSnapshot;
  /** Files are streamed on it, while the table is filled on another. */
  readonly files: DuckDBConnection;
}

// As a record means it: of no boundary, whether the log alone counts, or the files alone.
function boundaryOf(source: SourceSpec, was: SourceSnapshot | undefined): Micros {
  const isLogAlone = was?.isLogAlone ?? (was?.pushed ?? null) !== null;
  return was?.boundaryMicros ?? (isLogAlone || source.pushes === 'keep' ? -Infinity : Infinity);
}

async function readFiles(reading: Reading, deps: OfflineDeps, was: SourceSnapshot | undefined): Promise<void> {
  const { source, table } = reading;
  const isApart = settingApart(source).length > 0;
  const releases = isApart ? await loadReleases(deps.database, was?.releasedUpTo ?? 0) : NOTHING_RELEASED;
  const rules = apartRules(source);
  const back = releasesOf(source, releases, deps);
  const sorted = async (rows: readonly TimedRow[]): Promise<TimedRow[]> => {
    const broken = rows.filter(({ row }) => rules.breaksValue(row));
    const released = await back(broken);
    return rows.flatMap((row) => {
      if (!rules.breaksValue(row.row)) return [row];
      const since = released.get(row);
      return since === undefined ? [] : [knownSince(row, since)];
    });
  };
  const counts = ({ event }: TimedRow): boolean =>
    source.pushes === 'keep' || (event !== null && event <= reading.boundary);
  if (rules.uniques.length === 0) {
    for await (const rows of rowsOfFiles(reading, (row) => reading.wanted.has((column) => row[column] ?? null)))
      for (const row of await sorted(rows)) if (counts(row)) table.add(row);
    return;
  }
  for (const row of await differing(reading, rules.uniques, sorted, back)) if (counts(row)) table.add(row);
}

/**
 * The rows of wanted keys that rules of rows which must differ leave: of rows with equal values the first that was known. Held at
 * once are the rows of wanted keys and those with the same values.
 */
async function differing(
  reading: Reading,
  uniques: readonly ((row: Row) => string | null)[],
  sorted: (rows: readonly TimedRow[]) => Promise<TimedRow[]>,
  back: (rows: readonly TimedRow[]) => Promise<ReadonlyMap<TimedRow, Micros>>,
): Promise<TimedRow[]> {
  const isWanted = (row: Row): boolean => reading.wanted.has((column) => row[column] ?? null);
  const asked = uniques.map(() => new Set<string>());
  for await (const rows of rowsOfFiles({ ...reading, mistakes: [] }, isWanted))
    for (const { row } of rows)
      uniques.forEach((by, i) => {
        const values = by(row);
        if (values !== null) asked[i]?.add(values);
      });
  const isAsked = (row: Row): boolean =>
    isWanted(row) || uniques.some((by, i) => asked[i]?.has(by(row) ?? '') === true);
  const candidates: TimedRow[] = [];
  for await (const rows of rowsOfFiles(reading, isAsked, true)) candidates.push(...(await sorted(rows)));
  candidates.sort((a, b) => compareKnown(reading.source, a, b));
  const doubles = new Set<TimedRow>();
  for (const by of uniques) {
    const seen = new Set<string>();
    for (const candidate of candidates) {
      const values = by(candidate.row);
      if (values === null) continue;
      if (seen.has(values)) doubles.add(candidate);
      seen.add(values);
    }
  }
  const released = await back([...doubles]);
  return candidates.flatMap((row) => {
    if (!isWanted(row.row)) return [];
    if (!doubles.has(row)) return [row];
    const since = released.get(row);
    return since === undefined ? [] : [knownSince(row, since)];
  });
}

/** Known since its release: no feature could be made of it before. */
function knownSince(row: TimedRow, since: Micros): TimedRow {
  return { ...row, known: row.known === null ? null : Math.max(row.known, since) };
}

/**
 * Batches of the rows of files that are asked for, with derived columns and times. `isAll`: every row is converted and derived, as
 * what is asked for is not its key alone.
 */
async function* rowsOfFiles(
  { source, snapshot, files, wanted, derive, mistakes }: Reading,
  isAsked: (row: Row) => boolean,
  isAll = false,
): AsyncGenerator<readonly TimedRow[]> {
  const mayBeAsked = (raw: RawRow): boolean => isAll || wanted.isDerived || wanted.has((column) => raw.cell(column));
  let batch: { readonly row: Row; readonly raw: Pick<RawRow, 'file' | 'number'> }[] = [];
  const finish = async (): Promise<readonly TimedRow[]> => {
    const raws = batch.map(({ raw }) => raw);
    const derived = await derive(batch.map(({ row }) => row));
    batch = [];
    return derived.flatMap((row, i) => {
      if (!isAsked(row)) return [];
      const timed = { row, ...timesOf(source, row) };
      const { file, number } = raws[i] as Pick<RawRow, 'file' | 'number'>;
      const folder = timed.event === null ? undefined : denyingFolder(source, file, timed.event);
      if (folder !== undefined)
        addMistake(
          mistakes,
          source,
          `row ${number} of ${file} is of ${formatTimestamp(timed.event as Micros)}, which its folder ${folder} denies`,
        );
      return [timed];
    });
  };
  for await (const raw of rawRows(files, source, snapshot)) {
    const bad = wanted.columns.find(
      (column) => source.columns.some(({ name }) => name === column) && raw.cell(column) === INVALID,
    );
    if (bad === undefined && !mayBeAsked(raw)) continue;
    const row = wholeRow(source, raw, ({ name, type }) =>
      addMistake(
        mistakes,
        source,
        `row ${raw.number}, column "${name}" of ${raw.file} holds ${raw.shown(name)}, which is no ${typeName(type)}`,
      ),
    );
    if (row === undefined) continue;
    batch.push({ row, raw: { file: raw.file, number: raw.number } });
    if (batch.length === BATCH) yield await finish();
  }
  yield await finish();
}

function addMistake(mistakes: ErrorDetail[], { name }: SourceSpec, message: string): void {
  if (mistakes.length < MOST_MISTAKES) mistakes.push({ path: `source "${name}"`, message });
}

/** `logged`, `released`: of a pushed row, when it came, and when it came back. */
function timesOf(
  source: SourceSpec,
  row: Row,
  logged: Micros | null = null,
  released: Micros | null = null,
): Pick<TimedRow, 'event' | 'known'> {
  const micros = (column: string): Micros | null => {
    const value = row[column] ?? null;
    return Number.isSafeInteger(value) ? (value as Micros) : null;
  };
  const event = micros(source.eventTime);
  if (event === null) return { event, known: null };
  const column = knownColumn(source);
  const { knownTime } = source;
  const stated = column === undefined ? null : micros(column);
  const after = knownTime.kind === 'after' ? event + knownTime.micros : event;
  const known = column === undefined ? (logged ?? after) : (stated ?? logged);
  return { event, known: known === null ? null : Math.max(known, event, released ?? -Infinity) };
}

async function readLog(
  { source, wanted, derive, boundary, table }: Reading,
  { log }: OfflineDeps,
  was: SourceSnapshot | undefined,
): Promise<OwnFacts['pushed']> {
  const recorded = was?.pushed ?? null;
  if (recorded === null || log === undefined || boundary === Infinity) return null;
  const coverage: Coverage = {
    floor: recorded.floor,
    cuts: new Map(recorded.writers.map(({ writer, cut }) => [writer, cut])),
  };
  const writers = (await log.writers()).toSorted((a, b) => a.number - b.number);
  for (const { writer, cut } of recorded.writers) {
    const shipped = writers.find(({ number }) => number === writer)?.shipped ?? 0;
    if (cut <= shipped) continue;
    throw new HeadraceError(
      'HR_LOG_DAMAGED',
      `the set was made of the log of writer ${writer} up to cut ${cut}, and the registry has it up to ${shipped}. Is this the registry that it was made with?`,
    );
  }
  const hash = createHash('sha256');
  let rows = 0;
  let isRemoved = false;
  for (const { number, shipped, removed } of writers) {
    const last = Math.min(coveredCut(coverage, number), shipped);
    isRemoved ||= Math.min(removed, last) > 0;
    for await (const entry of log.read(number, removed + 1, last, source.name)) {
      const pushed = entry.rows(source);
      const derived = await derive(pushed.map(({ row }) => row));
      derived.forEach((row, i) => {
        const logged = pushed[i]?.knownMicros as Micros;
        const timed = { row, ...timesOf(source, row, logged, entry.isPutBack === true ? logged : null) };
        // A row without an event time is counted, though it matches nothing.
        if (source.pushes !== 'keep' && timed.event !== null && timed.event <= boundary) return;
        const place = { writer: number, offset: entry.offset + i, logged };
        hash.update(`${number}/${place.offset}/${logged};`);
        rows++;
        if (wanted.has((column) => row[column] ?? null)) table.add(timed, place);
      });
    }
  }
  return { rows, sha256: hash.digest('hex'), isRemoved };
}
