// Tables of a lake as places where a source's rows lie: Iceberg and Delta, on disk and on S3, once so that their files are the
// rows, and once so that deletes and partitions make them others.

import { join } from 'node:path';
import type { Field, Row } from '../../src/core/index.ts';
import { findExtensions } from './duckdb-extensions.ts';
import { findLakeWriter, type LakeWriter, startLakeWriter } from './lake-writer.ts';
import { type OfflineWorld, writeParquet } from './offline-world.ts';
import { findS3Server, type S3Server, startS3Server } from './s3-server.ts';
import type { Located, SourcePlace } from './source-places.ts';

interface LakeKind {
  readonly name: string;
  readonly kind: 'iceberg' | 'delta';
  readonly isOnDisk: boolean;
  readonly extensions: readonly string[];
  /** Puts two files of rows into a table in place of what it holds; `isNew`: where there is none yet. */
  readonly put: (table: LakeTable, files: readonly [string, string], isNew: boolean) => Promise<void>;
  /** Writes rows too that it deletes again, by this value of column `tag`. */
  readonly decoy?: string;
  readonly lacks?: NonNullable<SourcePlace['lacks']>;
}

interface LakeTable {
  readonly ask: LakeWriter['ask'];
  /** Where its tables lie. */
  readonly warehouse: string;
  readonly table: string;
  readonly path: string;
  readonly s3?: Pick<S3Server, 'endpoint' | 'accessKeyId' | 'secretAccessKey'>;
}

const DECOY = 'never was';

async function putIceberg({ ask, warehouse, table, s3 }: LakeTable, files: readonly [string, string], isNew: boolean) {
  const [first, second] = files;
  if (isNew) await ask({ do: 'iceberg_create', warehouse, table, file: first, s3 });
  else await ask({ do: 'iceberg_overwrite', warehouse, table, file: first });
  await ask({ do: 'iceberg_append', warehouse, table, file: second });
}

async function putIcebergWithDeletes(
  { ask, warehouse, table }: LakeTable,
  [first, second]: readonly [string, string],
  isNew: boolean,
) {
  const decoys = { warehouse, table, column: 'tag', value: DECOY };
  if (isNew) await ask({ do: 'iceberg_create', warehouse, table, file: first });
  else await ask({ do: 'iceberg_overwrite', warehouse, table, file: first });
  await ask({ do: 'iceberg_delete_values', ...decoys });
  await ask({ do: 'iceberg_append', warehouse, table, file: second });
  await ask({ do: 'iceberg_delete_positions', ...decoys });
}

/** Its first file was written before columns had their names, two of them each other's. */
async function putIcebergRenamed(
  { ask, warehouse, table }: LakeTable,
  [first, second]: readonly [string, string],
  isNew: boolean,
) {
  const of = { warehouse, table };
  if (isNew) {
    await ask({ do: 'iceberg_create', ...of, file: first, names: { price: 'cost', tag: 'region', region: 'tag' } });
    await ask({ do: 'iceberg_alter', ...of, rename: [['cost', 'price']] });
    await ask({ do: 'iceberg_alter', ...of, rename: [['tag', 'other']] });
    await ask({ do: 'iceberg_alter', ...of, rename: [['region', 'tag']] });
    await ask({ do: 'iceberg_alter', ...of, rename: [['other', 'region']] });
  } else await ask({ do: 'iceberg_overwrite', ...of, file: first });
  await ask({ do: 'iceberg_append', ...of, file: second });
}

async function putDelta({ ask, path, s3 }: LakeTable, [first, second]: readonly [string, string]) {
  await ask({ do: 'delta_write', path, file: first, mode: 'overwrite', s3 });
  await ask({ do: 'delta_write', path, file: second, s3 });
}

async function putDeltaWithDeletes(
  { ask, path }: LakeTable,
  [first, second]: readonly [string, string],
  isNew: boolean,
) {
  const configuration = { 'delta.enableDeletionVectors': 'true' };
  const made = isNew ? { partition: ['gone'], configuration } : {};
  await ask({ do: 'delta_write', path, file: first, mode: 'overwrite', ...made });
  await ask({ do: 'delta_write', path, file: second });
  await ask({ do: 'delta_delete_vectors', path, column: 'tag', value: DECOY });
}

const KINDS: readonly LakeKind[] = [
  { name: 'an Iceberg table', kind: 'iceberg', isOnDisk: true, extensions: ['avro', 'iceberg'], put: putIceberg },
  {
    name: 'an Iceberg table with deletes',
    kind: 'iceberg',
    isOnDisk: true,
    extensions: ['avro', 'iceberg'],
    put: putIcebergWithDeletes,
    decoy: DECOY,
    // Refused: "refuses nulls of a column that rows are deleted by".
    lacks: 'null tags',
  },
  {
    name: 'a renamed Iceberg table',
    kind: 'iceberg',
    isOnDisk: true,
    extensions: ['avro', 'iceberg'],
    put: putIcebergRenamed,
  },
  {
    name: 'an Iceberg table',
    kind: 'iceberg',
    isOnDisk: false,
    extensions: ['httpfs', 'avro', 'iceberg'],
    put: putIceberg,
  },
  { name: 'a Delta table', kind: 'delta', isOnDisk: true, extensions: ['delta'], put: putDelta },
  {
    name: 'a Delta table with deletes',
    kind: 'delta',
    isOnDisk: true,
    extensions: ['delta'],
    put: putDeltaWithDeletes,
    decoy: DECOY,
  },
  { name: 'a Delta table', kind: 'delta', isOnDisk: false, extensions: ['httpfs', 'delta'], put: putDelta },
];

let tables = 0;

/** Those that can be had here; the others are said to be skipped. */
export function lakePlaces(): SourcePlace[] {
  const suite = 'sources in a lake';
  const python = findLakeWriter(suite);
  if (python === undefined) return [];
  const program = findS3Server(suite);
  return KINDS.flatMap((kind): SourcePlace[] => {
    const extensions = findExtensions(kind.extensions, `${suite}: ${kind.name}`);
    if (extensions === undefined || (!kind.isOnDisk && program === undefined)) return [];
    return [lakePlace(kind, python, extensions, program)];
  });
}

function lakePlace(
  kind: LakeKind,
  python: string,
  extensions: string,
  program: ReturnType<typeof findS3Server>,
): SourcePlace {
  let writer: LakeWriter | undefined;
  let server: S3Server | undefined;
  return {
    name: `${kind.name} ${kind.isOnDisk ? 'on disk' : `on S3 (${program?.name})`}`,
    extensions,
    keepsSnapshots: true,
    isInspected: true,
    ...(kind.lacks !== undefined && { lacks: kind.lacks }),
    runs: 5,
    async start() {
      writer = startLakeWriter(python);
      if (!kind.isOnDisk && program !== undefined) server = await startS3Server(program);
    },
    async open(world) {
      if (writer === undefined) throw new Error('start first');
      const table = `table_${++tables}`;
      const s3 = server?.access;
      const warehouse = server === undefined ? join(world.directory, 'lake') : `s3://${await server.newBucket()}/lake`;
      const path = kind.kind === 'iceberg' ? `${warehouse}/lake/${table}` : `${warehouse}/${table}`;
      const { ask } = writer;
      let isNew = true;
      return {
        located: { kind: kind.kind, location: { path } } satisfies Located,
        ...(s3 !== undefined && { remote: { s3 } }),
        async put(columns, rows) {
          const files = await writeParts(world, columns, rows, kind.decoy);
          await kind.put({ ask, warehouse, table, path, ...(s3 !== undefined && { s3 }) }, files, isNew);
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

async function writeParts(
  world: OfflineWorld,
  columns: readonly Field[],
  rows: readonly Row[],
  decoy: string | undefined,
): Promise<readonly [string, string]> {
  const part = async (which: number): Promise<string> => {
    const own = rows.filter((_, i) => i % 2 === which);
    const file = join(world.directory, `lake-rows-${++tables}.parquet`);
    const written = decoy === undefined ? own : own.flatMap((row) => [row, { ...row, tag: decoy }]);
    await writeParquet(world.connection, file, columns, written);
    return file;
  };
  return [await part(0), await part(1)];
}
