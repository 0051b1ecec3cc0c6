// What a reader needs besides a record: the rows of the runs that wrote bases, and schemas of rows. Held in memory,
// since neither ever changes; what is met for the first time is fetched once.

import type { Micros } from '../../core/index.ts';
import type { VersionId } from '../online-store.ts';
import { isOpened, type OpenedRow, type RunRow } from '../runs/run-row.ts';
import type { Runs } from '../runs/runs.ts';
import { compileRowCodec, type RowCodec } from './row-codec.ts';
import type { RowSchemas } from './row-schemas.ts';

export interface RecordDirectory {
  /** The row of a run; null when the registry has none; undefined when nobody asked yet: `load`, then ask again. */
  run(number: number): OpenedRow | null | undefined;
  /** The codec of a schema, likewise. */
  schema(fingerprint: string): RowCodec | null | undefined;
  /** Fetches all that was asked for and not known. Throws HR_STORAGE_UNAVAILABLE. */
  load(): Promise<void>;
  /** The last finished run of a version, as of the last `refresh`. */
  lastFinished(version: VersionId): RunRow | undefined;
  /** Looks which runs have finished since. */
  refresh(): Promise<void>;
}

export async function openRecordDirectory(
  runs: Pick<Runs, 'row' | 'lastFinished'>,
  schemas: Pick<RowSchemas, 'all' | 'find'>,
): Promise<RecordDirectory> {
  const rows = new Map<number, OpenedRow | null>();
  const codecs = new Map<string, RowCodec | null>();
  const finished = new Map<VersionId, RunRow>();
  const askedRuns = new Set<number>();
  const askedSchemas = new Set<string>();

  const refresh = async (): Promise<void> => {
    for (const row of await runs.lastFinished()) {
      finished.set(row.version, row);
      if (isOpened(row)) rows.set(row.number, row);
    }
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
        const row = await runs.row(number);
        rows.set(number, row !== undefined && isOpened(row) ? row : null);
        askedRuns.delete(number);
      }
      for (const fingerprint of askedSchemas) {
        const schema = await schemas.find(fingerprint);
        codecs.set(fingerprint, schema === undefined ? null : compileRowCodec(schema));
        askedSchemas.delete(fingerprint);
      }
    },
    lastFinished: (version) => finished.get(version),
    refresh,
  };
}

/** The known time as of which a scheduled view is served: what its last finished run folded. */
export function asOfLastRun(directory: RecordDirectory, version: VersionId): Micros {
  return directory.lastFinished(version)?.asOf ?? -Infinity;
}
