// Makes a training set: spine in, Parquet out, with every feature as it could be known at each row's time.

import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { contentHash, HeadraceError, type Micros, sha256Hex } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { type Coverage, openRuns } from '../../online/index.ts';
import { quoteText } from '../../storage/index.ts';
import { throwIfRefused } from '../../checks/index.ts';
import { checkFeatures } from '../checks/check-features.ts';
import { checkSources, type SourceChecks } from '../checks/check-sources.ts';
import { tellFindings } from '../checks/tell-findings.ts';
import { runPlan } from '../duckdb/run-plan.ts';
import type { SourceFacts } from '../facts/current-facts.ts';
import type { FactsLog } from '../facts/facts.ts';
import { warnOfUnconverted } from '../facts/unconverted.ts';
import { ASK_TIMEOUT_MS } from '../materialize/ask-writers.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { type Boundary, planTrainingSet, type TrainingSetPlan } from '../plan.ts';
import { type FileHashes, openFileHashes } from '../sources/file-hashes.ts';
import { fileHash, hashFiles, identityOf, type SourceFile } from '../sources/file-identity.ts';
import { shipOrCount, type UnshippedWriter } from '../retention/ship-log.ts';
import { readPinned } from '../sources/pinned-snapshot.ts';
import { loadSpine, type Spine, spineTimes } from './load-spine.ts';
import { profileFile } from '../profiles/profile-file.ts';
import { saveSetProfile } from '../profiles/profile-table.ts';
import { type Profile, summarizeProfile } from '../../profiles/index.ts';
import { profileSource } from './profile-source.ts';
import type { PushedSnapshot, SourceSnapshot, TrainingSetRecord } from './record.ts';
import { openPlanFacts, type PlanFacts } from './source-facts.ts';
import { definitionsReached } from './set-inputs.ts';
import { saveTrainingSet } from './training-set-store.ts';

export interface TrainingSetRequest {
  readonly service: string;
  /** A Parquet or CSV file or glob, or a query that begins with SELECT, FROM or WITH. */
  readonly spine: string;
  /** Where relative file names of the spine start, a query's too; the process's working directory when left out. */
  readonly directory?: string;
  readonly timestamp: string;
  readonly labels: readonly string[];
  readonly boundary: Boundary;
  /** Parquet file to write; its folder is made. */
  readonly out: string;
  /** Where the file goes in the end, by the set's id: on the disk of `out`, where it is written then; `out` when left out. */
  readonly place?: (id: string) => string;
  readonly name?: string;
  /** What the record calls the spine; `spine` when left out. */
  readonly spineName?: string;
}

export interface CreatedTrainingSet extends TrainingSetRecord {
  /** The id of the set that was found by this one's name until now. */
  readonly nameTakenFrom?: string;
  /** What this set was called until now: it was made before, of the same inputs. */
  readonly formerName?: string;
}

/**
 * Writes the file whole or not at all and keeps its record. Every writer is asked to ship what was pushed; those that don't answer
 * within `askTimeoutMs` are in the record, with how many events wait there. Errors:
 * HR_UNKNOWN_SERVICE, HR_SPINE, HR_SOURCE_UNREADABLE, HR_SOURCE_CHANGED, HR_TRANSFORM_FAILED, HR_INTEGER_OVERFLOW,
 * HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE, HR_LOG_DAMAGED, HR_EXPECTATION.
 */
export async function createTrainingSet(deps: OfflineDeps, request: TrainingSetRequest): Promise<CreatedTrainingSet> {
  const plan = planTrainingSet(deps.definitions.manifest, request);
  if (!/\.parquet$/i.test(request.out)) {
    throw new HeadraceError(
      'HR_USAGE',
      `the training set is written as Parquet; "${request.out}" does not end in .parquet.`,
    );
  }
  const connection = await deps.duckdb.connect();
  // The table that cached steps look files up in, too: a set after such a step reads no file of it again.
  const hashes = openFileHashes(deps.dataDirectory, deps.clock);
  let sources: PlanFacts | undefined;
  try {
    deps.progress.start('read the spine');
    const spine = await loadSpine(connection, request.spine, plan, request.directory ?? process.cwd(), deps, hashes);
    deps.progress.done(`${spine.rows} rows`);
    const unshipped = await shipPushes(deps, plan);
    sources = await openPlanFacts(connection, plan, await spineTimes(connection), deps);
    const { bySource, snapshots } = sources;
    const checks = await checkSources(connection, deps, bySource, snapshots, 'no training set is written');
    const out = resolve(request.out);
    refuseInputs(out, spine, bySource);
    // The checksums are taken while DuckDB sorts. Their failure is met where they are awaited.
    const inputs = hashInputs(bySource, hashes);
    inputs.catch(() => undefined);
    const facts = new Map([...bySource].map(([name, source]) => [name, source.facts]));
    const sql = await readPinned(snapshots, 'the training set cannot be computed', () =>
      runPlan(connection, plan, spine, facts, deps),
    );
    deps.progress.start('write the training set', spine.rows, 'rows');
    const { record, profile } = await writeWhole(out, (written) =>
      readPinned(snapshots, 'the training set cannot be computed', async () => {
        await connection.run(`COPY (${sql}) TO ${quoteText(written)} (FORMAT parquet, COMPRESSION zstd)`);
        const own = await checkFeatures(connection, deps.definitions.manifest, plan, written);
        tellFindings(deps.logger, own);
        throwIfRefused(own, 'no training set is written');
        const described = describe(connection, deps, request, plan, spine, bySource, await inputs, {
          out,
          written,
          checks,
        });
        const { record, profile } = await described;
        const more = { ...(own.length > 0 && { checks: own }), ...(unshipped.length > 0 && { unshipped }) };
        return { record: { ...record, ...more }, profile };
      }),
    );
    deps.progress.done(`${spine.rows} rows`);
    reportIgnored(deps, record);
    const { record: kept, nameTakenFrom, formerName } = await saveTrainingSet(deps.database, record);
    await saveSetProfile(deps.database, kept.id, profile, kept.createdAtMicros);
    return {
      ...kept,
      ...(nameTakenFrom !== undefined && { nameTakenFrom }),
      ...(formerName !== undefined && { formerName }),
    };
  } finally {
    await hashes.save();
    await sources?.close();
    connection.closeSync();
  }
}

/** What servers have acknowledged until now is to be in the set. */
async function shipPushes(deps: OfflineDeps, plan: TrainingSetPlan): Promise<readonly UnshippedWriter[]> {
  const { log, clock, logger, askTimeoutMs = ASK_TIMEOUT_MS } = deps;
  if (log === undefined || plan.reads.length === 0) return [];
  deps.progress.start('ask the writers for what they took');
  const unshipped = await shipOrCount({ log, runs: await openRuns(deps.database), clock, logger }, askTimeoutMs);
  deps.progress.done();
  return unshipped;
}

// To a name beside it first: a failed run leaves nothing, and a reader never sees half a file, nor one whose sources
// changed while it was made.
async function writeWhole<T extends { readonly record: TrainingSetRecord }>(
  out: string,
  write: (to: string) => Promise<T>,
): Promise<T> {
  await mkdir(dirname(out), { recursive: true });
  // Of two containers each may be process 1, and both may write to one place.
  const unfinished = `${out}.unfinished-${randomUUID()}`;
  try {
    const written = await write(unfinished);
    const { path } = written.record;
    await mkdir(dirname(path), { recursive: true });
    await rename(unfinished, path);
    return written;
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
  sources: ReadonlyMap<string, SourceFacts>,
  hashed: ReadonlyMap<string, readonly SourceFile[]>,
  { out, written, checks }: { readonly out: string; readonly written: string; readonly checks: SourceChecks },
): Promise<{ readonly record: TrainingSetRecord; readonly profile: Profile }> {
  const { definitions, clock } = deps;
  const snapshots: SourceSnapshot[] = [];
  for (const [name, { facts, snapshot, boundary, releasedUpTo }] of sources) {
    const reads = plan.reads.filter(({ view }) => view.source === name);
    snapshots.push({
      source: name,
      files: hashed.get(name) ?? [],
      ...((snapshot.skipped ?? 0) > 0 && { skippedFiles: snapshot.skipped }),
      ...(snapshot.table !== undefined && { table: snapshot.table }),
      ...boundaryIn(facts.source, boundary),
      pushed: facts.log === null ? null : { ...positionsOf(facts.log), ...(await facts.log.digest()) },
      ...(await profileSource(connection, facts, reads)),
      unconverted: (await facts.log?.unconverted()) ?? {},
      ...(facts.apart !== undefined && { releasedUpTo: releasedUpTo ?? 0 }),
      ...checksIn(checks, name),
    });
  }
  const spineHash = spine.files.length === 0 ? sha256Hex(request.spine) : contentHash(spine.files.map(identityOf));
  const { from: first, to: last } = await spineTimes(connection);
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
  const fileSha256 = await fileHash(written);
  // By the definitions that it is made from: an apply of others makes no other set of the same data.
  const { manifestHash: _, ...counted } = made;
  const definitionsRead = definitionsReached(definitions.manifest, plan);
  const whole = { ...counted, definitions: definitionsRead, sources: snapshots.map(whatCounts), content: fileSha256 };
  const id = contentHash(whole).slice(0, 16);
  const profile = await profileFile(connection, plan.features, written);
  const record: TrainingSetRecord = {
    id,
    name: request.name ?? null,
    ...made,
    spine: request.spineName ?? request.spine,
    path: request.place?.(id) ?? out,
    contentHash: fileSha256,
    sizeBytes: (await stat(written)).size,
    rows: spine.rows,
    firstMicros: Number.isFinite(first) ? first : null,
    lastMicros: Number.isFinite(last) ? last : null,
    features: summarizeProfile(profile),
    createdAtMicros: clock.nowMicros(),
  };
  return { record, profile };
}

function checksIn(checks: SourceChecks, source: string): Pick<SourceSnapshot, 'checks'> {
  const own = checks.get(source) ?? [];
  return own.length === 0 ? {} : { checks: own };
}

function boundaryIn({ pushes }: SourceSpec, boundary: Micros): Pick<SourceSnapshot, 'boundaryMicros' | 'isLogAlone'> {
  const isLogAlone = pushes !== 'keep' && boundary === -Infinity;
  return { boundaryMicros: Number.isFinite(boundary) ? boundary : null, isLogAlone };
}

function positionsOf({ coverage, removed }: FactsLog): Pick<PushedSnapshot, 'floor' | 'writers' | 'removed'> {
  return { ...toPositions(coverage), ...(removed !== null && { removed: toPositions(removed) }) };
}

function toPositions({ floor, cuts }: Coverage): Pick<PushedSnapshot, 'floor' | 'writers'> {
  return { floor, writers: [...cuts].map(([writer, cut]) => ({ writer, cut })) };
}

// The same facts, the same id: not by where they lie, nor by what of the log doesn't count. Of the files' rows those up to
// the boundary do, so their number tells which.
function whatCounts({ source, files, pushed, rows }: SourceSnapshot): object {
  const fromLog = pushed?.rows ?? 0;
  return {
    source,
    files: files.map(identityOf),
    fileRows: rows - fromLog,
    pushed: fromLog === 0 ? null : { rows: fromLog, sha256: pushed?.sha256 },
  };
}

async function hashInputs(
  sources: ReadonlyMap<string, SourceFacts>,
  hashes: FileHashes,
): Promise<ReadonlyMap<string, readonly SourceFile[]>> {
  const hashed = new Map<string, readonly SourceFile[]>();
  for (const [name, { snapshot }] of sources) hashed.set(name, await hashFiles(snapshot, hashes.hashOf));
  return hashed;
}

function refuseInputs(out: string, spine: Spine, sources: ReadonlyMap<string, SourceFacts>): void {
  const inputs = [...spine.files, ...[...sources.values()].flatMap(({ facts }) => facts.files)];
  if (inputs.some(({ path }) => path === out)) {
    throw new HeadraceError('HR_USAGE', `${out} is read for this training set; write it under another name.`);
  }
}

function reportIgnored({ logger }: OfflineDeps, record: TrainingSetRecord): void {
  for (const { source, ignored, unconverted = {} } of record.sources) {
    warnOfUnconverted(logger, { source }, unconverted);
    const nullKeys = Object.values(ignored.nullKey).some((rows) => rows > 0);
    if (ignored.nullTime === 0 && !nullKeys) continue;
    logger.warn({ source, ...ignored }, 'rows without a time or a key match nothing');
  }
}
