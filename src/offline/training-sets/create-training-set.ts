// Makes a training set: spine in, Parquet out, with every feature as it could be known at each row's time.

import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { contentHash, HeadraceError, sha256Hex } from '../../core/index.ts';
import { runPlan } from '../duckdb/run-plan.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { type Boundary, planTrainingSet, type TrainingSetPlan } from '../plan.ts';
import { type ScannedSource, scanSource } from '../sources/scan-source.ts';
import { queryWork } from '../sources/source-errors.ts';
import { fileHash, type SourceFile, snapshotFiles } from '../sources/source-files.ts';
import { quoteText } from '../sources/sql-text.ts';
import { loadSpine, type Spine, SPINE_TABLE } from './load-spine.ts';
import { profileFeatures, profileSource } from './profile.ts';
import type { SourceSnapshot, TrainingSetRecord } from './record.ts';
import { saveTrainingSet } from './training-set-store.ts';

export interface TrainingSetRequest {
  readonly service: string;
  /** A Parquet or CSV file or glob (relative to the working directory), or a query that begins with SELECT, FROM or WITH. */
  readonly spine: string;
  readonly timestamp: string;
  readonly labels: readonly string[];
  readonly boundary: Boundary;
  /** Parquet file to write; its folder is made. */
  readonly out: string;
  readonly name?: string;
}

/**
 * Writes the file whole or not at all and keeps its record. Errors: HR_UNKNOWN_SERVICE, HR_SPINE, HR_SOURCE_UNREADABLE,
 * HR_TRANSFORM_FAILED, HR_INTEGER_OVERFLOW, HR_STORAGE_FULL.
 */
export async function createTrainingSet(deps: OfflineDeps, request: TrainingSetRequest): Promise<TrainingSetRecord> {
  const plan = planTrainingSet(deps.definitions.manifest, request);
  if (!/\.parquet$/i.test(request.out)) {
    throw new HeadraceError(
      'HR_USAGE',
      `the training set is written as Parquet; "${request.out}" does not end in .parquet.`,
    );
  }
  const connection = await deps.duckdb.connect();
  try {
    deps.progress.start('read the spine');
    const spine = await loadSpine(connection, request.spine, plan, process.cwd());
    deps.progress.done(`${spine.rows} rows`);
    const sources = await scanSources(connection, plan, deps);
    const out = resolve(request.out);
    refuseInputs(out, spine, sources);
    // The checksums are taken while DuckDB sorts. Their failure is met where they are awaited.
    const inputs = hashInputs(spine, sources);
    inputs.catch(() => undefined);
    const sql = await runPlan(connection, plan, spine, sources, deps);
    deps.progress.start('write the training set', spine.rows, 'rows');
    await writeWhole(connection, sql, out);
    deps.progress.done(`${spine.rows} rows`);
    const record = await describe(connection, deps, request, plan, spine, sources, await inputs, out);
    reportIgnored(deps, record);
    return await saveTrainingSet(deps.database, record);
  } finally {
    connection.closeSync();
  }
}

/** Every source of the plan, once. */
export async function scanSources(
  connection: DuckDBConnection,
  plan: TrainingSetPlan,
  deps: OfflineDeps,
): Promise<Map<string, ScannedSource>> {
  const sources = new Map<string, ScannedSource>();
  for (const { view } of plan.reads) {
    const source = deps.definitions.manifest.sources[view.source];
    if (source === undefined || sources.has(view.source)) continue;
    sources.set(view.source, await scanSource(connection, source, deps));
  }
  return sources;
}

// To a name beside it first: a failed run leaves nothing, and a reader never sees half a file.
async function writeWhole(connection: DuckDBConnection, sql: string, out: string): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  const unfinished = `${out}.unfinished-${process.pid}`;
  try {
    await queryWork('the training set cannot be computed', 'HR_SOURCE_UNREADABLE', () =>
      connection.run(`COPY (${sql}) TO ${quoteText(unfinished)} (FORMAT parquet, COMPRESSION zstd)`),
    );
    await rename(unfinished, out);
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function describe(
  connection: DuckDBConnection,
  deps: OfflineDeps,
  request: TrainingSetRequest,
  plan: TrainingSetPlan,
  spine: Spine,
  sources: ReadonlyMap<string, ScannedSource>,
  inputs: InputHashes,
  out: string,
): Promise<TrainingSetRecord> {
  const { definitions, clock } = deps;
  const snapshots: SourceSnapshot[] = [];
  for (const [name, scanned] of sources) {
    const reads = plan.reads.filter(({ view }) => view.source === name);
    const files = inputs.sources.get(name) ?? [];
    snapshots.push({
      source: name,
      files,
      pushed: scanned.pushed,
      ...(await profileSource(connection, scanned, reads)),
    });
  }
  const spineHash =
    inputs.spine.length === 0 ? sha256Hex(request.spine) : contentHash(inputs.spine.map(({ sha256 }) => sha256));
  const range = await connection.runAndReadAll(
    `SELECT CAST(min(__hr_at) AS DOUBLE), CAST(max(__hr_at) AS DOUBLE) FROM ${SPINE_TABLE}`,
  );
  const [first, last] = range.getRows()[0] as [number | null, number | null];
  const made = {
    project: definitions.manifest.project,
    manifestHash: definitions.hash,
    service: request.service,
    timestamp: request.timestamp,
    labels: request.labels,
    boundary: request.boundary,
    spineHash,
    sources: snapshots,
  };
  const hashes = snapshots.map(({ source, files, pushed }) => ({
    source,
    files: files.map(({ sha256 }) => sha256),
    pushed,
  }));
  const fileSha256 = await fileHash(out);
  return {
    id: contentHash({ ...made, sources: hashes, content: fileSha256 }).slice(0, 16),
    name: request.name ?? null,
    ...made,
    spine: request.spine,
    path: out,
    contentHash: fileSha256,
    sizeBytes: (await stat(out)).size,
    rows: spine.rows,
    firstMicros: first,
    lastMicros: last,
    features: await profileFeatures(connection, plan, out, spine.rows),
    createdAtMicros: clock.nowMicros(),
  };
}

interface InputHashes {
  readonly spine: readonly SourceFile[];
  readonly sources: ReadonlyMap<string, readonly SourceFile[]>;
}

async function hashInputs(spine: Spine, sources: ReadonlyMap<string, ScannedSource>): Promise<InputHashes> {
  const hashed = new Map<string, readonly SourceFile[]>();
  for (const [name, { files }] of sources) hashed.set(name, await snapshotFiles(files));
  return { spine: await snapshotFiles(spine.files), sources: hashed };
}

function refuseInputs(out: string, spine: Spine, sources: ReadonlyMap<string, ScannedSource>): void {
  const inputs = [...spine.files, ...[...sources.values()].flatMap(({ files }) => files)];
  if (inputs.includes(out)) {
    throw new HeadraceError('HR_USAGE', `${out} is read for this training set; write it under another name.`);
  }
}

function reportIgnored({ logger }: OfflineDeps, record: TrainingSetRecord): void {
  for (const { source, ignored } of record.sources) {
    const nullKeys = Object.values(ignored.nullKey).some((rows) => rows > 0);
    if (ignored.nullTime === 0 && !nullKeys) continue;
    logger.warn({ source, ...ignored }, 'rows without a time or a key match nothing');
  }
}
