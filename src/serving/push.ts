// Pushing events: checked whole, written to the source's durable log, then folded into every live view of the source.

import { describe, type ErrorDetail, HeadraceError, invalid, type Micros, parseRow, type Row } from '../core/index.ts';
import type { Definitions, SourceSpec } from '../definitions/index.ts';
import { applyPush, type OnlineStore, type PushLog } from '../online/index.ts';
import type { DuckDb } from '../storage/index.ts';
import { compileDerivedColumns, type DeriveColumns } from './derive-columns.ts';
import { reportUnknownMembers } from './unknown-members.ts';

export interface PushDeps {
  readonly definitions: Definitions;
  readonly store: OnlineStore;
  readonly pushLog: PushLog;
  readonly duckdb: () => Promise<DuckDb>;
  readonly maxRows: number;
}

export interface PushResult {
  readonly accepted: number;
  /** The Idempotency-Key was met before: this is what came of the first time. */
  readonly duplicate: boolean;
  readonly views: readonly PushedView[];
}

/** What a live view made of a push. */
export interface PushedView {
  readonly view: string;
  /** Records that changed. */
  readonly written: number;
  /** Events that changed nothing: covered by a materialize, or counted before. */
  readonly skipped: number;
  /** Events with a null key or event time: they match nothing. */
  readonly ignored: number;
}

/** Pushes into one source. */
export interface SourcePusher {
  /** `rows` is JSON. Throws HR_INVALID, HR_TOO_LARGE, HR_IDEMPOTENCY, HR_ONLINE_UNAVAILABLE, HR_STORAGE_FULL. */
  push(rows: unknown, idempotencyKey?: string): Promise<PushResult>;
  /** Checks rows without pushing them, however many. Throws HR_INVALID. */
  check(rows: unknown): void;
}

/** Compiles a source for pushes. */
export function compilePusher(deps: PushDeps, source: SourceSpec): SourcePusher {
  const { definitions, store, pushLog } = deps;
  const derive: DeriveColumns = compileDerivedColumns(definitions, source, deps.duckdb);

  return {
    check: (rows) => void parsePushed(source, rows, Infinity),
    async push(rows, idempotencyKey) {
      const parsed = parsePushed(source, rows, deps.maxRows);
      // Before anything is kept: a row that cannot be derived must not be in the log.
      const complete = await derive(parsed.map(({ row }) => row));
      const { rows: logged, isRepeat } = await pushLog.append(source, {
        rows: parsed,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      });
      // A repeat gives the rows of the first time.
      const derived = isRepeat ? await derive(logged.map(({ row }) => row)) : complete;
      const { views, withoutKey, withoutEventTime } = await applyPush(
        store,
        definitions.manifest,
        source.name,
        logged.map((pushed, index) => ({ ...pushed, row: derived[index] as Row })),
      );
      const written = Object.entries(views).map(([view, summary]) => ({
        view,
        ...summary,
        ignored: withoutEventTime + (withoutKey[view] ?? 0),
      }));
      return { accepted: logged.length, duplicate: isRepeat, views: written };
    },
  };
}

interface ParsedRow {
  readonly row: Row;
  readonly knownMicros?: Micros;
}

function parsePushed(source: SourceSpec, rows: unknown, maxRows: number): ParsedRow[] {
  if (!Array.isArray(rows))
    throw invalid([{ path: 'rows', message: `expected an array of rows, got ${describe(rows)}` }]);
  if (rows.length > maxRows)
    throw new HeadraceError(
      'HR_TOO_LARGE',
      `there are ${rows.length} rows, the limit is ${maxRows}. Push them in parts.`,
    );
  const mistakes: ErrorDetail[] = [];
  const names = source.columns.map(({ name }) => name);
  const derived = source.derive.map(({ name }) => name);
  const parsed = rows.map((json: unknown, index) => {
    const path = `rows[${index}]`;
    const row = parseRow(source.columns, json, path, mistakes);
    if (typeof json === 'object' && json !== null && names.some((name) => !Object.hasOwn(json, name))) {
      reportUnknownMembers(json, names, path, mistakes, derived);
    }
    return checkTimes(source, row, path, mistakes);
  });
  if (mistakes.length > 0) throw invalid(mistakes);
  return parsed;
}

// The known time is the row's own where the source has a column for it and the row fills it; else it is the arrival.
function checkTimes(source: SourceSpec, row: Row, path: string, mistakes: ErrorDetail[]): ParsedRow {
  const event = row[source.eventTime];
  const isDerived = source.derive.some(({ name }) => name === source.eventTime);
  if (
    typeof event !== 'number' &&
    !isDerived &&
    !mistakes.some((mistake) => mistake.path === `${path}.${source.eventTime}`)
  ) {
    mistakes.push({ path: `${path}.${source.eventTime}`, message: 'expected the event time (a timestamp), got null' });
  }
  if (source.knownTime.kind !== 'column' || source.knownTime.column === source.eventTime) return { row };
  const known = row[source.knownTime.column];
  if (typeof known !== 'number') return { row };
  if (typeof event === 'number' && known < event) {
    mistakes.push({ path: `${path}.${source.knownTime.column}`, message: 'the known time is before the event time' });
  }
  return { row, knownMicros: known };
}
