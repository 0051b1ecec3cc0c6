// Makes the facts relation of a source: one SQL for its files and its log, derived columns and times included.

import { createHash } from 'node:crypto';
import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, type Micros } from '../../core/index.ts';
import { NOTHING_RELEASED } from '../../checks/index.ts';
import type { OnFailedValue, SourceSpec } from '../../definitions/index.ts';
import type { Coverage } from '../../online/index.ts';
import { rowSorting } from '../checks/sound-rows.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { numbersOf } from '../duckdb/vector-values.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { checkFolders, readTimes } from './check-folders.ts';
import { csvRows } from './csv-rows.ts';
import { derivedColumns, withTimes } from './derived-columns.ts';
import type { Facts, FactsDeps, FactsLog, FactsRequest, LogRows } from './facts.ts';
import { NO_LOG_ROWS, rawLogRows } from './log-rows.ts';
import { parquetRows } from './parquet-rows.ts';
import { type FileRows, MOST_FILES, noRows } from './raw-rows.ts';
import { countUnconverted } from './unconverted.ts';

/**
 * Throws HR_SOURCE_UNREADABLE naming file and column when a file is corrupt, or a column is missing or cannot have its
 * declared type; HR_CODE_MISSING; HR_LOG_DAMAGED and what else the log throws.
 */
export async function openFacts(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: FactsDeps,
  { snapshot, boundary, coverage }: FactsRequest,
): Promise<Facts> {
  const files = snapshot?.files ?? [];
  const raw = files.length === 0 ? undefined : await openFiles(connection, source, snapshot as PinnedSnapshot);
  const logged = boundary === Infinity ? NO_LOG_ROWS : await rawLogRows(connection, source, deps, coverage);
  const { forgiving } = deps;
  const completeLogged = await completing(connection, source, deps, forgiving?.onFailedValue);
  const complete = forgiving?.rows === 'log' ? await completing(connection, source, deps) : completeLogged;
  const offered = (indices: readonly number[]) =>
    complete(raw === undefined || indices.length === 0 ? noRows(source) : raw.relation(indices));
  const all = files.map((_, i) => i);
  if (snapshot !== null)
    await checkFolders(source, snapshot, deps, (unread) => readTimes(connection, source, offered(unread), unread));
  const sorting = rowSorting(connection, source, deps.released ?? NOTHING_RELEASED);
  const fileRows = (indices: readonly number[]) => {
    if (sorting === undefined) return offered(indices);
    if (!sorting.isTogether || indices.length === 0) return sorting.sound(offered(indices));
    return `(FROM ${sorting.sound(offered(all))} WHERE __hr_file IN (${indices.join(', ')}))`;
  };
  const allFileRows = fileRows(all);
  const allLogRows = completeLogged(logged.relation ?? noRows(source));
  const fileRelation = upTo(source, allFileRows, boundary);
  const logRelation = past(source, allLogRows, boundary);
  const halves = [
    ...(raw === undefined ? [] : [fileRelation]),
    ...(logged.relation === undefined ? [] : [logRelation]),
  ];
  const relation =
    halves.length === 0
      ? allLogRows
      : halves.length === 1
        ? (halves[0] as string)
        : `(${halves.map(from).join(' UNION ALL ')})`;
  const log: FactsLog | null =
    logged.relation === undefined && logged.removed === null
      ? null
      : {
          writers: logged.writers.map(({ writer, last }) => ({ writer: writer.number, cut: last })),
          coverage: logged.coverage,
          removed: logged.removed,
          rows: logged.rows,
          digest: () => digest(connection, logRelation),
          unconverted: () => countUnconverted(connection, source, logRelation),
        };
  const apart = sorting && {
    rules: sorting.rules,
    isTogether: sorting.isTogether,
    relation: sorting.apart(offered(all)),
  };
  return {
    source,
    relation,
    fileRelation,
    logRelation,
    allFileRows,
    allLogRows,
    fileRows,
    files,
    ...(apart !== undefined && { apart }),
    log,
  };
}

/** Rows of some of a snapshot's files, of which there is at least one, whether or not rules set them apart. Throws as `openFacts`. */
export async function openFileRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: FactsDeps,
  snapshot: PinnedSnapshot,
): Promise<(indices: readonly number[]) => string> {
  const raw = await openFiles(connection, source, snapshot);
  const { forgiving } = deps;
  const complete = await completing(
    connection,
    source,
    deps,
    forgiving?.rows === 'all' ? forgiving.onFailedValue : undefined,
  );
  return (indices) => complete(raw.relation(indices));
}

/** Rows of cuts that `to` covers and `from` doesn't. Throws as `openFacts`. */
export async function openLogRows(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: FactsDeps,
  from: Coverage,
  to: Coverage,
): Promise<LogRows> {
  const { relation, rows } = await rawLogRows(connection, source, deps, to, from);
  const complete = await completing(connection, source, deps, deps.forgiving?.onFailedValue);
  return { relation: complete(relation ?? noRows(source)), rows };
}

function openFiles(connection: DuckDBConnection, source: SourceSpec, snapshot: PinnedSnapshot): Promise<FileRows> {
  if (snapshot.files.length > MOST_FILES) {
    throw new HeadraceError(
      'HR_UNSUPPORTED',
      `source "${source.name}" has ${snapshot.files.length} files, and this build reads up to ${MOST_FILES} of one source. Merge them.`,
    );
  }
  return snapshot.format === 'csv' ? csvRows(connection, source, snapshot) : parquetRows(connection, source, snapshot);
}

/** Raw rows to rows of facts, in the same order of columns whatever they come from. */
async function completing(
  connection: DuckDBConnection,
  source: SourceSpec,
  { definitions }: FactsDeps,
  onFailedValue?: OnFailedValue,
): Promise<(raw: string) => string> {
  const derived = await derivedColumns(connection, source, definitions, onFailedValue);
  return (raw) => withTimes(source, derived.length === 0 ? raw : `(SELECT *, ${derived.join(', ')} FROM ${raw})`);
}

const from = (relation: string): string => `FROM ${relation}`;

// A row without an event time is on neither side: it stays, to be counted.
function upTo({ pushes }: SourceSpec, rows: string, boundary: Micros): string {
  if (pushes === 'keep' || boundary === Infinity) return rows;
  const counts = boundary === -Infinity ? '__hr_event IS NULL' : `coalesce(__hr_event <= ${boundary}, true)`;
  return `(FROM ${rows} WHERE ${counts})`;
}

function past({ pushes }: SourceSpec, rows: string, boundary: Micros): string {
  if (pushes === 'keep' || !Number.isFinite(boundary)) return rows;
  return `(FROM ${rows} WHERE coalesce(__hr_event > ${boundary}, true))`;
}

// An entry never changes, so its place says what it holds.
async function digest(connection: DuckDBConnection, relation: string): Promise<{ rows: number; sha256: string }> {
  const hash = createHash('sha256');
  let rows = 0;
  const places = ['__hr_writer', '__hr_offset', '__hr_logged'].map((name) => `CAST(${name} AS DOUBLE)`);
  const stream = await connection.stream(
    `SELECT ${places.join(', ')} FROM ${relation} ORDER BY __hr_writer, __hr_offset`,
  );
  for await (const chunk of readAhead(stream)) {
    const [writers, offsets, known] = [0, 1, 2].map((i) => numbersOf<Float64Array>(chunk.getColumnVector(i)));
    let text = '';
    for (let i = 0; i < chunk.rowCount; i++) text += `${writers?.[i]}/${offsets?.[i]}/${known?.[i]};`;
    hash.update(text);
    rows += chunk.rowCount;
  }
  return { rows, sha256: hash.digest('hex') };
}
