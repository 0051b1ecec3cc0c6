// A file's rows predicted by an endpoint's arm: features as of each row's time, then part after part through the model. What is
// done stays done: the same call after a kill goes on where it was.

import type { ModelSpec } from '../definitions/index.ts';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTimestamp, HeadraceError, type Progress } from '../core/index.ts';
import {
  type Boundary,
  checkColumns,
  fileHash,
  getTrainingSet,
  identityOf,
  inputFiles,
  type InputPlace,
  type OfflineDeps,
  type PartModel,
  type PartOrder,
  type SourceFile,
  writeFeatureFile,
  writeParts,
} from '../offline/index.ts';
import type { ProvidersOf } from '../serving/index.ts';
import { getBlob, type ObjectStore } from '../storage/index.ts';
import type { BatchArm } from './choose-arm.ts';
import {
  type AskedJob,
  askedOf,
  JOB,
  type Job,
  type Manifest,
  MANIFEST,
  other,
  partName,
  type PartRecord,
  partRowsFor,
  partsAmong,
  readJob,
  refuseOther,
} from './job.ts';
import { type FolderLock, lockFolder } from './lock-folder.ts';
import { readFiles } from './read-graph.ts';
import { openOutFolder, type OutFolder, toldOfDisk, WORK } from './out-folder.ts';

export interface BatchDeps {
  /** Their definitions are the arm's. */
  readonly offline: OfflineDeps;
  readonly objects: ObjectStore;
  readonly progress: Progress;
  readonly providersOf: ProvidersOf;
  /** See `OnnxRuntimeOptions`. */
  readonly providerShare: number;
  /** Threads that predict. */
  readonly threads: number;
  /** Of all threads together. */
  readonly memoryBytes: number;
  readonly spill: string;
  /** Folder for work on what goes to S3. */
  readonly scratch: string;
}

export interface BatchRequest {
  readonly arm: BatchArm;
  readonly input: InputPlace;
  /** The input's column that says when each row is predicted. */
  readonly timestamp: string;
  /** Left out: that of the training set that the arm's version was registered with; `at` where it was registered without. */
  readonly boundary?: Boundary;
  /** A folder, which may be there, or a prefix in S3. */
  readonly out: string;
  /** Of the input's columns, those to keep; left out: all. */
  readonly columns?: readonly string[];
  readonly hasFeatures: boolean;
  /** `fail`: a row that can't be predicted fails the batch; `mark`: it has an error in the place of outputs. */
  readonly badRows: 'fail' | 'mark';
  readonly format: 'parquet' | 'csv';
  /** Replaces another batch that lies at `out`. */
  readonly overwrites: boolean;
  readonly signal?: AbortSignal;
}

export interface PredictedFile extends Manifest {
  readonly out: string;
  /** Parts that lay there from a run before. */
  readonly resumed: number;
}

/** What a batch works with that tests give otherwise: a folder that breaks off at a step, parts written without threads. */
export interface BatchMeans {
  readonly folder: OutFolder;
  readonly writeParts: typeof writeParts;
}

const FEATURES = 'features.parquet';

/**
 * Errors: as a training set's; HR_USAGE for columns, HR_CONFLICT where `out` holds another batch or a process is at work on it,
 * HR_STORAGE_FULL, HR_MODEL_SIGNATURE and what else the model's opening throws, HR_INFERENCE_FAILED and HR_NULL_FEATURE of rows.
 */
export async function predictFile(
  deps: BatchDeps,
  request: BatchRequest,
  means: Partial<BatchMeans> = {},
): Promise<PredictedFile> {
  const { folder = openOutFolder(request.out, deps.scratch, deps.offline.remote?.s3 ?? {}) } = means;
  const lock = await toldOfDisk(folder.name, async () => lockFolder(folder));
  try {
    const predicted = await predictInto(deps, request, { writeParts, ...means, folder });
    lock.end();
    return predicted;
  } catch (thrown) {
    await letGo(folder, lock);
    throw thrown;
  }
}

/** What a batch that began has done stays for the next run; of one that did not begin nothing does. */
async function letGo(folder: OutFolder, lock: FolderLock): Promise<void> {
  try {
    if ((await folder.read(JOB)) !== undefined) return lock.release();
    await folder.clear();
    lock.end();
  } catch {
    // Why the batch failed is told, not this.
    lock.release();
  }
}

async function predictInto(deps: BatchDeps, request: BatchRequest, means: BatchMeans): Promise<PredictedFile> {
  const { arm, input } = request;
  const { folder } = means;
  // It may have waited for its turn.
  request.signal?.throwIfAborted();
  const boundary = request.boundary ?? (await boundaryOf(deps.offline, arm));
  const asked = askedOf(arm, {
    input: input.path,
    slice: input.slice ?? null,
    timestamp: request.timestamp,
    boundary,
    columns: request.columns ?? null,
    features: request.hasFeatures,
    badRows: request.badRows,
    format: request.format,
  });
  const found = await standing(deps, request, folder, asked);
  const { names, begun, finished } = found;
  if (finished !== undefined) {
    // A run that was killed after its manifest leaves the job beside it.
    if (names.has(JOB)) await folder.remove(JOB);
    await folder.clear();
    return { ...finished, out: folder.name, resumed: finished.parts.length };
  }
  const { job, featureFile } = await beginJob(deps, request, folder, asked, found);
  const done = job === begun ? await doneParts(folder, job, names) : new Map<number, PartRecord>();
  const orders = ordersOf(job, folder).filter(({ index }) => !done.has(index));
  const resumed = done.size;
  const here = (spec: ModelSpec): ModelSpec => ({ ...spec, providers: deps.providersOf(spec.name, spec.providers) });
  const model: PartModel =
    arm.graph === undefined
      ? { kind: 'file', onnx: await getBlob(deps.objects, arm.artifact), rows: arm.rows }
      : await readFiles(deps.objects, arm.graph, here);
  deps.progress.start('predict', job.rows, 'rows');
  let rows = [...done.values()].reduce((sum, part) => sum + part.rows, 0);
  await means.writeParts({
    threads: deps.threads,
    orders,
    signal: request.signal,
    work: {
      featureFile,
      service: arm.service,
      spec: here(arm.spec),
      providerShare: deps.providerShare,
      model,
      version: arm.version,
      variant: arm.variant,
      columns: request.columns ?? job.inputColumns,
      hasFeatures: request.hasFeatures,
      badRows: request.badRows,
      format: request.format,
      memoryBytes: deps.memoryBytes / deps.threads,
      spill: deps.spill,
    },
    scored: (more) => deps.progress.advance((rows += more)),
    async written({ index, from, to, path }, part) {
      const record: PartRecord = { name: partName(index, job.format), rows: to - from, ...part };
      // First what it is, then itself: a part that lies there is known.
      await folder.write(recordName(index), JSON.stringify(record));
      await folder.publish(record.name, path);
      done.set(index, record);
    },
  });
  deps.progress.done(`${job.rows} rows`);
  const parts = [...done].toSorted(([a], [b]) => a - b).map(([, part]) => part);
  const manifest: Manifest = {
    ...job,
    failed: parts.reduce((sum, { failed }) => sum + failed, 0),
    outputs: arm.spec.outputs.map(({ name, type }) => ({ name, type: type.kind })),
    parts,
    finished_at: formatTimestamp(deps.offline.clock.nowMicros()),
  };
  await folder.write(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`);
  await folder.remove(JOB);
  await folder.clear();
  return { ...manifest, out: folder.name, resumed };
}

/**
 * The boundary by which the arm's version was trained. Throws HR_USAGE where the versions of a graph were trained by different
 * ones, HR_UNKNOWN_TRAINING_SET.
 */
async function boundaryOf({ database }: OfflineDeps, { model, version, trainingSets }: BatchArm): Promise<Boundary> {
  const found = await Promise.all(trainingSets.map((id) => getTrainingSet({ database }, id)));
  const boundaries = new Set(found.map(({ boundary }) => boundary));
  if (boundaries.size > 1) {
    const each = found.map(({ id, boundary }) => `${id} with ${boundary}`).join(', ');
    const sentence = `the models of version ${version} of graph "${model}" were trained by different boundaries (training set ${each}): name the one to compute features by (--boundary at or --boundary before)`;
    throw new HeadraceError('HR_USAGE', sentence);
  }
  return found[0]?.boundary ?? 'at';
}

/** What lies there of the same batch. */
interface Standing {
  readonly names: ReadonlySet<string>;
  readonly begun?: Job;
  readonly finished?: Manifest;
}

const NOTHING: Standing = { names: new Set() };

/** Of another batch it is nothing, or that is refused. */
async function standing(
  deps: BatchDeps,
  { input, overwrites }: BatchRequest,
  folder: OutFolder,
  asked: AskedJob,
): Promise<Standing> {
  const names = await folder.names();
  const manifest = names.has(MANIFEST) ? await folder.read(MANIFEST) : undefined;
  const text = manifest ?? (await folder.read(JOB));
  if (text === undefined) {
    const stray = partsAmong(names)[0];
    if (stray === undefined) return { names };
    if (!overwrites) throw other(folder.name, `${stray} is there, and nothing says what of`);
    await removeBatch(folder, names);
    return NOTHING;
  }
  const found = readJob(text);
  try {
    if (found === undefined) throw other(folder.name, 'what it says of itself cannot be read');
    refuseOther(folder.name, found, asked);
    refuseOtherInput(folder.name, found, await inputFiles(input, deps.offline));
    // A manifest is written whole.
    return manifest === undefined ? { names, begun: found } : { names, finished: found as Manifest };
  } catch (thrown) {
    if (!overwrites || !(thrown instanceof HeadraceError) || thrown.code !== 'HR_CONFLICT') throw thrown;
    await removeBatch(folder, names);
    return NOTHING;
  }
}

/** Takes away all of a batch that lies at the place of a new one. */
export async function removeBatch(
  folder: Pick<OutFolder, 'work' | 'remove'>,
  names: ReadonlySet<string>,
): Promise<void> {
  // The parts last: what lies there then is of no batch, and is refused as such.
  for (const name of [MANIFEST, JOB]) if (names.has(name)) await folder.remove(name);
  await rm(join(folder.work, FEATURES), { force: true });
  await removeParts(folder, names);
}

async function removeParts(folder: Pick<OutFolder, 'remove'>, names: ReadonlySet<string>): Promise<void> {
  const records = [...names].filter((name) => name.startsWith(`${WORK}/part-`));
  for (const name of [...records, ...partsAmong(names)]) await folder.remove(name);
}

function refuseOtherInput(place: string, { inputs }: Job, files: readonly SourceFile[]): void {
  const differs =
    inputs.length !== files.length ||
    inputs.some(({ identity }, at) => identity !== identityOf(files[at] as SourceFile));
  if (differs) throw other(place, 'it is of an input of that name with another content');
}

/** The job with its features: those of before, or made now. Parts that were made of others are removed. */
async function beginJob(
  deps: BatchDeps,
  request: BatchRequest,
  folder: OutFolder,
  asked: AskedJob,
  { names, begun }: Standing,
): Promise<{ readonly job: Job; readonly featureFile: string }> {
  const featureFile = join(folder.work, FEATURES);
  // By its content: a run that was killed between its features and their job leaves others than the job's, and so does one
  // of another batch at that place in S3, whose work lies on this machine.
  const isKept = existsSync(featureFile) && (await fileHash(featureFile)) === begun?.featureFile;
  if (begun !== undefined && isKept) return { job: begun, featureFile };
  const { arm, input, timestamp, badRows, columns } = request;
  const { boundary } = asked;
  const made = await writeFeatureFile(deps.offline, {
    service: arm.service.name,
    input,
    timestamp,
    boundary,
    badRows,
    out: featureFile,
    check: (found) =>
      checkColumns(columns ?? found, found, {
        service: arm.service,
        spec: arm.spec,
        hasFeatures: request.hasFeatures,
        badRows,
      }),
  });
  if (begun?.featureFile === made.sha256) return { job: begun, featureFile };
  // Of another snapshot of the sources: rows of both in one batch would not fit together.
  await removeParts(folder, names);
  const job: Job = {
    job: 1,
    ...asked,
    inputs: made.inputs.map((file) => ({ path: file.path, size: file.size, identity: identityOf(file) })),
    rows: made.rows,
    partRows: partRowsFor(made.rows, deps.threads),
    inputColumns: made.columns.map(({ name }) => name),
    featureFile: made.sha256,
    started_at: formatTimestamp(deps.offline.clock.nowMicros()),
  };
  await folder.write(JOB, JSON.stringify(job));
  return { job, featureFile };
}

function ordersOf({ rows, partRows }: Job, { work }: OutFolder): PartOrder[] {
  // A file of no rows gives a part of none: its columns are there.
  return Array.from({ length: Math.max(1, Math.ceil(rows / partRows)) }, (_, index) => ({
    index,
    from: index * partRows,
    to: Math.min(rows, (index + 1) * partRows),
    path: join(work, `part-${index}.unfinished`),
  }));
}

const recordName = (index: number): string => `${WORK}/part-${String(index).padStart(5, '0')}.json`;

async function doneParts(folder: OutFolder, job: Job, names: ReadonlySet<string>): Promise<Map<number, PartRecord>> {
  const done = new Map<number, PartRecord>();
  for (const { index } of ordersOf(job, folder)) {
    if (!names.has(partName(index, job.format)) || !names.has(recordName(index))) continue;
    const text = await folder.read(recordName(index));
    // publish wrote the record first, whole.
    if (text !== undefined) done.set(index, JSON.parse(text) as PartRecord);
  }
  return done;
}
