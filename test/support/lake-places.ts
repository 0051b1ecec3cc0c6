// Tables of a lake as places where a source's rows lie: Iceberg and Delta, on disk and on S3, once so that their files are the
// rows, and once so that deletes and partitions make them others.

import { join } from 'node:path';
import { findExtensions } from './duckdb-extensions.ts';
import { findLakeWriter, type LakeWriter, startLakeWriter } from './lake-writer.ts';
import { findS3Server, type S3Server, startS3Server } from './s3-server.ts';
import type { SourcePlace } from './source-places.ts';

/** Asks the writer for something of one table. */
type Change = (what: string, more?: object) => Promise<unknown>;

interface LakeKind {
  readonly name: string;
  readonly kind: 'iceberg' | 'delta';
  readonly isOnDisk?: false;
  /** Puts two files of rows into a table in place of what it holds; `isNew`: where there is none yet. */
  readonly put: (change: Change, files: readonly [string, string], isNew: boolean) => Promise<void>;
  /** Writes rows too that it deletes again, by this value of column `tag`. */
  readonly decoy?: string;
  readonly lacks?: NonNullable<SourcePlace['lacks']>;
}

const DECOY = 'never was';
const decoys = { column: 'tag', value: DECOY };

const putIceberg: LakeKind['put'] = async (change, [first, second], isNew) => {
  await change(isNew ? 'create' : 'overwrite', { file: first });
  await change('append', { file: second });
};

const putIcebergWithDeletes: LakeKind['put'] = async (change, [first, second], isNew) => {
  await change(isNew ? 'create' : 'overwrite', { file: first });
  await change('delete_values', decoys);
  await change('append', { file: second });
  await change('delete_positions', decoys);
};

/** Its first file was written before columns had their names, two of them each other's. */
const putIcebergRenamed: LakeKind['put'] = async (change, [first, second], isNew) => {
  if (isNew) {
    await change('create', { file: first, names: { price: 'cost', tag: 'region', region: 'tag' } });
    for (const rename of ['cost price', 'tag other', 'region tag', 'other region'])
      await change('alter', { rename: [rename.split(' ')] });
  } else await change('overwrite', { file: first });
  await change('append', { file: second });
};

const putDelta: LakeKind['put'] = async (change, [first, second]) => {
  await change('write', { file: first, mode: 'overwrite' });
  await change('write', { file: second });
};

const putDeltaWithDeletes: LakeKind['put'] = async (change, [first, second], isNew) => {
  const configuration = { 'delta.enableDeletionVectors': 'true' };
  await change('write', { file: first, mode: 'overwrite', ...(isNew && { partition: ['gone'], configuration }) });
  await change('write', { file: second });
  await change('delete_vectors', decoys);
};

const KINDS: readonly LakeKind[] = [
  { name: 'an Iceberg table', kind: 'iceberg', put: putIceberg },
  // Null tags are refused: "refuses nulls of a column that rows are deleted by".
  {
    name: 'an Iceberg table with deletes',
    kind: 'iceberg',
    put: putIcebergWithDeletes,
    decoy: DECOY,
    lacks: 'null tags',
  },
  { name: 'a renamed Iceberg table', kind: 'iceberg', put: putIcebergRenamed },
  { name: 'an Iceberg table', kind: 'iceberg', isOnDisk: false, put: putIceberg },
  { name: 'a Delta table', kind: 'delta', put: putDelta },
  { name: 'a Delta table with deletes', kind: 'delta', put: putDeltaWithDeletes, decoy: DECOY },
  { name: 'a Delta table', kind: 'delta', isOnDisk: false, put: putDelta },
];

let tables = 0;

/** Those that can be had here; the others are said to be skipped. */
export function lakePlaces(): SourcePlace[] {
  const suite = 'sources in a lake';
  const python = findLakeWriter(suite);
  if (python === undefined) return [];
  const program = findS3Server(suite);
  return KINDS.flatMap((kind): SourcePlace[] => {
    const names = kind.kind === 'delta' ? ['delta'] : ['avro', 'iceberg'];
    const isOnDisk = kind.isOnDisk !== false;
    const extensions = findExtensions(isOnDisk ? names : ['httpfs', ...names], `${suite}: ${kind.name}`);
    if (extensions === undefined || (!isOnDisk && program === undefined)) return [];
    return [lakePlace(kind, python, extensions, isOnDisk ? undefined : program)];
  });
}

function lakePlace(
  { name, kind, put, decoy, lacks }: LakeKind,
  python: string,
  extensions: string,
  program: ReturnType<typeof findS3Server>,
): SourcePlace {
  let writer: LakeWriter | undefined;
  let server: S3Server | undefined;
  return {
    name: `${name} ${program === undefined ? 'on disk' : `on S3 (${program.name})`}`,
    extensions,
    keepsSnapshots: true,
    isInspected: true,
    ...(lacks !== undefined && { lacks }),
    runs: 5,
    async start() {
      writer = startLakeWriter(python);
      if (program !== undefined) server = await startS3Server(program);
    },
    async open(world) {
      if (writer === undefined) throw new Error('start first');
      const { ask } = writer;
      const table = `table_${++tables}`;
      const s3 = server?.access;
      const warehouse = server === undefined ? join(world.directory, 'lake') : `s3://${await server.newBucket()}/lake`;
      const path = kind === 'iceberg' ? `${warehouse}/lake/${table}` : `${warehouse}/${table}`;
      const named = kind === 'iceberg' ? { warehouse, table } : { path };
      const change: Change = (what, more) =>
        ask({
          do: `${kind}_${what}`,
          ...named,
          ...(s3 !== undefined && /^(create|write)$/.test(what) && { s3 }),
          ...more,
        });
      let isNew = true;
      return {
        located: { kind, location: { path } },
        ...(s3 !== undefined && { remote: { s3 } }),
        async put(columns, rows) {
          const part = (which: number): Promise<string> => {
            const own = rows.filter((_, i) => i % 2 === which);
            const written = decoy === undefined ? own : own.flatMap((row) => [row, { ...row, tag: decoy }]);
            return world.put(`lake-rows-${++tables}.parquet`, columns, written);
          };
          await put(change, [await part(0), await part(1)], isNew);
          isNew = false;
        },
      };
    },
    async stop() {
      await writer?.stop();
      await server?.stop();
    },
  };
}
