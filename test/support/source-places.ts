// Where a source's rows can lie, each place on its real server: what the contract of sources is tested on.

import { readFileSync } from 'node:fs';
import type { Field, Row } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { OfflineDeps } from '../../src/offline/index.ts';
import { mysqlPlaces, postgresPlaces, snowflakePlaces } from './database-places.ts';
import { findExtensions } from './duckdb-extensions.ts';
import type { OfflineWorld } from './offline-world.ts';
import { lakePlaces } from './lake-places.ts';
import { findS3Server, type S3Server, startS3Server } from './s3-server.ts';
import { isFull } from './tier.ts';

export type Located = Pick<SourceSpec, 'kind' | 'location'>;

export interface SourcePlace {
  readonly name: string;
  /** What was read of it is kept: an audit goes by that, whatever has become of the rows. */
  readonly keepsRows?: true;
  /** Values that it can't hold. */
  readonly lacks?: 'infinity' | 'null tags';
  /** A look at it finds its columns, and what each is to be declared as. */
  readonly isInspected?: true;
  /** Of DuckDB, for the world that reads. */
  readonly extensions?: string;
  /** What lay there before can still be read after other rows were put there. */
  readonly keepsSnapshots?: boolean;
  /** Of the property; left out: as of all. */
  readonly runs?: number;
  start(): Promise<void>;
  /** A place of its own in it. */
  open(world: OfflineWorld): Promise<OpenPlace>;
  stop(): Promise<void>;
}

export interface OpenPlace {
  readonly located: Located;
  readonly remote?: NonNullable<OfflineDeps['remote']>;
  /** Puts rows there, instead of those that lay there. */
  put(columns: readonly Field[], rows: readonly Row[]): Promise<void>;
}

let folders = 0;

const disk: SourcePlace = {
  name: 'Parquet on disk',
  isInspected: true,
  start: async () => {},
  async open(world) {
    const name = `place-${++folders}`;
    return {
      located: { kind: 'parquet', location: { path: world.path(`${name}-*.parquet`) } },
      put: (columns, rows) => eachPart(rows, (part, i) => world.put(`${name}-${i}.parquet`, columns, part)),
    };
  },
  stop: async () => {},
};

/** In two files, so that ties meet across them. */
async function eachPart(
  rows: readonly Row[],
  write: (rows: readonly Row[], i: number) => Promise<unknown>,
): Promise<void> {
  for (const i of [0, 1])
    await write(
      rows.filter((_, at) => at % 2 === i),
      i,
    );
}

function s3Places(): SourcePlace[] {
  const program = findS3Server('sources on S3');
  if (program === undefined) return [];
  const place = (how: string, extensions: string | undefined): SourcePlace => {
    let server: S3Server | undefined;
    return {
      name: `Parquet on S3 (${program.name}), ${how}`,
      isInspected: true,
      ...(extensions !== undefined && { extensions }),
      async start() {
        server = await startS3Server(program);
      },
      async open(world) {
        if (server === undefined) throw new Error('start first');
        const { access, put } = server;
        const bucket = await server.newBucket();
        return {
          located: { kind: 'parquet', location: { path: `s3://${bucket}/events/**/*.parquet` } },
          remote: { s3: access },
          put: (columns, rows) =>
            eachPart(rows, async (part, i) => {
              const local = await world.put(`upload-${++folders}.parquet`, columns, part);
              await put(bucket, `events/part=${i}/rows.parquet`, readFileSync(local));
            }),
        };
      },
      stop: async () => server?.stop(),
    };
  };
  const httpfs = findExtensions(['httpfs'], 'sources on S3 by httpfs');
  return [place('by copies', undefined), ...(httpfs === undefined ? [] : [place('by httpfs', httpfs)])];
}

/** Those that can be had here; the others are said to be skipped. The quick tier has the disk and one database. */
export function sourcePlaces(): SourcePlace[] {
  if (!isFull) return [disk, ...postgresPlaces().slice(0, 1)];
  return [disk, ...s3Places(), ...postgresPlaces(), ...mysqlPlaces(), ...snowflakePlaces(), ...lakePlaces()];
}
