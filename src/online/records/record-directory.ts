// What a reader needs besides a record: of the runs that wrote bases what they count, and schemas of rows. Held in memory,
// since neither ever changes; what is met for the first time is fetched once.

import type { Micros } from '../../core/index.ts';
import type { VersionId } from '../online-store.ts';
import { isOpened, type OpenedRow } from '../runs/run-row.ts';
import type { Runs } from '../runs/runs.ts';
import { compileRowCodec, type RowCodec } from './row-codec.ts';
import type { RowSchemas } from './row-schemas.ts';

/** What a base is read by. Not the whole row: its snapshot may name thousands of files. */
export type BaseRun = Pick<OpenedRow, 'coverage' | 'boundary' | 'asOf'>;

export interface RecordDirectory {
  /** Of a run; null when the registry has none; undefined when nobody asked yet: `load`, then ask again. */
  run(number: number): BaseRun | null | undefined;
  /** The codec of a schema, likewise. */
  schema(fingerprint: string): RowCodec | null | undefined;
  /** Fetches all that was asked for and not known. Throws HR_STORAGE_UNAVAILABLE. */
  load(): Promise<void>;
  /** The last finished run of a version, as of the last `refresh`. */
  lastFinished(version: VersionId): BaseRun | undefined;
  /** Looks which runs have finished since. */
  refresh(): Promise<void>;
}

export async function openRecordDirectory(
  runs: Pick<Runs, 'row' | 'lastFinishedNumbers'>,
  schemas: Pick<RowSchemas, 'all' | 'find'>,
): Promise<RecordDirectory> {
  const rows = new Map<number, BaseRun | null>();
  const codecs = new Map<string, RowCodec | null>();
  /** By version, its last finished run. */
  const finished = new Map<VersionId, { readonly number: number; readonly run: BaseRun }>();
  const askedRuns = new Set<number>();
  const askedSchemas = new Set<string>();

  const fetch = async (number: number): Promise<void> => {
    const row = await runs.row(number);
    if (row === undefined || !isOpened(row)) {
      rows.set(number, null);
      return;
    }
    const { version, state, coverage, boundary, asOf } = row;
    const run = { coverage, boundary, asOf };
    rows.set(number, run);
    if (state === 'finished' && number > (finished.get(version)?.number ?? 0)) finished.set(version, { number, run });
  };

  // Often, and mostly nothing has changed: only numbers are asked for.
  const refresh = async (): Promise<void> => {
    const known = new Set([...finished.values()].map(({ number }) => number));
    for (const number of await runs.lastFinishedNumbers()) if (!known.has(number)) await fetch(number);
  };
  for (const schema of await schemas.all()) codecs.set(schema.fingerprint, compileRowCodec(schema));
  await refresh();

  return {
    run(number) {
      const row = rows.get(number);
      if (row === undefined) askedRuns.add(number);
      return row;
    },
    schema(fingerprint) {
      const codec = codecs.get(fingerprint);
      if (codec === undefined) askedSchemas.add(fingerprint);
      return codec;
    },
    async load() {
      for (const number of askedRuns) {
        await fetch(number);
        askedRuns.delete(number);
      }
      for (const fingerprint of askedSchemas) {
        const schema = await schemas.find(fingerprint);
        codecs.set(fingerprint, schema === undefined ? null : compileRowCodec(schema));
        askedSchemas.delete(fingerprint);
      }
    },
    lastFinished: (version) => finished.get(version)?.run,
    refresh,
  };
}

/** The known time as of which a scheduled view is served: what its last finished run folded. */
export function asOfLastRun(directory: RecordDirectory, version: VersionId): Micros {
  return directory.lastFinished(version)?.asOf ?? -Infinity;
}
