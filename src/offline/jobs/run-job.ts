// What the process of a job does: the spine that came with the request becomes a training set, as the command makes one.

import { join } from 'node:path';
import { HeadraceError, type Progress, toHeadraceError, toldOutside } from '../../core/index.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { createTrainingSet } from '../training-sets/create-training-set.ts';
import type { TrainingSetRecord } from '../training-sets/record.ts';
import type { JobError, JobProgress } from './job.ts';
import { createJobFolders, sentSpine } from './job-folder.ts';
import type { JobStart } from './job-process.ts';

/**
 * Gives the set's id, and which writers did not ship what they had taken. Errors: as createTrainingSet's, without the names of the
 * server's own files.
 */
export async function runJob(
  deps: OfflineDeps,
  { request, folder }: JobStart,
): Promise<Pick<TrainingSetRecord, 'id' | 'unshipped'>> {
  const { spine, service, timestamp, labels, boundary, name } = request;
  const sent = spine.kind === 'address' ? undefined : sentSpine(folder, spine.kind);
  const read = sent === undefined || spine.kind !== 'arrow' ? sent : sentSpine(folder, 'parquet');
  const spineName = spine.kind === 'address' ? spine.address : `uploaded.${NAMES[spine.kind]}`;
  try {
    if (sent !== undefined && read !== undefined && sent !== read) {
      deps.progress.start('read the Arrow stream');
      const { arrowToParquet } = await import('../arrow/arrow-to-parquet.ts');
      const rows = await arrowToParquet(deps.duckdb, sent, read);
      deps.progress.done(`${rows} rows`);
    }
    return await createTrainingSet(deps, {
      service,
      timestamp,
      labels,
      boundary,
      spine: read ?? spineName,
      spineName,
      directory: folder,
      out: join(folder, 'set.parquet'),
      place: createJobFolders(deps.dataDirectory).placeOf,
      ...(name === null ? {} : { name }),
    });
  } catch (thrown) {
    throw read === undefined ? thrown : withName(thrown, [read, sent ?? read], spineName);
  }
}

const NAMES = { parquet: 'parquet', csv: 'csv', arrow: 'arrows' } as const;

// Whoever sent it knows no file of the server's.
function withName(thrown: unknown, paths: readonly string[], name: string): unknown {
  if (!(thrown instanceof HeadraceError)) return thrown;
  const message = paths.reduce((text, path) => text.replaceAll(path, name), thrown.message);
  const { code, details, where } = thrown;
  return new HeadraceError(code, message, { details, where, cause: thrown });
}

/** An error as whoever asks about the job is told it. */
export function jobError(thrown: unknown, isLocal: boolean): JobError {
  const error = toHeadraceError(thrown);
  if (error.status === 500) return { code: error.code, message: 'the server’s log has why, under the job’s id.' };
  if (isLocal) return { code: error.code, message: error.message };
  const { code, message } = toldOutside(error);
  return { code, message: message.replaceAll(LOCAL_PATH, '$1$2') };
}

/** Files of the server are named by their names alone to whoever is elsewhere; addresses as they are. */
const LOCAL_PATH = /(^|[\s"'(])\/(?:[^"'(),;:/\n]+\/)+([^\s"'(),;:/]+)/g;

/** Progress as messages, the first of each step at once and then few. */
export function tellProgress(tell: (progress: JobProgress) => void, everyMs = 250): Progress {
  /** Those under way, each within the one before it. */
  const steps: JobProgress[] = [];
  let toldMs = 0;
  const say = (next: JobProgress): void => {
    steps.push(next);
    toldMs = performance.now();
    tell(next);
  };
  const withBytes = (done: number, total: number | undefined): Pick<JobProgress, 'bytes'> =>
    total === undefined ? {} : { bytes: { done, total } };
  return {
    start: (step, total, unit, bytes) =>
      say({ step, done: 0, total: total ?? null, unit: unit ?? null, ...withBytes(0, bytes) }),
    advance(done, bytes = 0) {
      const now = steps.at(-1);
      if (now === undefined || performance.now() - toldMs < everyMs) return;
      steps.pop();
      say({ ...now, done, ...withBytes(bytes, now.bytes?.total) });
    },
    done() {
      const now = steps.at(-1);
      if (now === undefined) return;
      say({ ...now, done: now.total ?? now.done, ...withBytes(now.bytes?.total ?? 0, now.bytes?.total) });
      steps.splice(-2);
    },
  };
}
