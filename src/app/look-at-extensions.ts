// DuckDB's extensions: which load here, who needs them, and what is done without. What nobody needs is not fetched.

import type { Manifest, SourceSpec } from '../definitions/index.ts';
import type { DuckDb } from '../storage/index.ts';
import type { Finding } from './finding.ts';

interface Known {
  readonly name: string;
  readonly reads: string;
  isOf(source: SourceSpec): boolean;
  /** What is done without it; undefined where nothing can be. */
  readonly instead?: string;
}

const isInS3 = ({ location }: SourceSpec): boolean => /^s3[an]?:\/\//.test(location['path'] ?? '');

/** Databases and streams have clients of their own. */
const KNOWN: readonly Known[] = [
  {
    name: 'httpfs',
    reads: 'Parquet and CSV in S3, in place',
    isOf: (source) => ['parquet', 'csv'].includes(source.kind) && isInS3(source),
    instead: 'objects are copied through the AWS SDK first, at most offline.cache of them',
  },
  {
    name: 'httpfs',
    reads: 'tables of a lake in S3',
    // Where a catalog's tables lie is not known before it is asked.
    isOf: (source) => ['iceberg', 'delta'].includes(source.kind) && (isInS3(source) || 'catalog' in source.location),
  },
  { name: 'avro', reads: 'the manifests of Iceberg tables', isOf: ({ kind }) => kind === 'iceberg' },
  { name: 'iceberg', reads: 'Iceberg tables', isOf: ({ kind }) => kind === 'iceberg' },
  { name: 'delta', reads: 'Delta tables', isOf: ({ kind }) => kind === 'delta' },
];

/** One finding for each; one that no source needs is only looked for. */
export async function lookAtExtensions(
  duckdb: Pick<DuckDb, 'extension' | 'installed'>,
  { sources }: Pick<Manifest, 'sources'>,
): Promise<Finding[]> {
  const names = [...new Set(KNOWN.map(({ name }) => name))];
  return Promise.all(names.map((name) => lookAt(name, duckdb, Object.values(sources))));
}

async function lookAt(
  name: string,
  duckdb: Pick<DuckDb, 'extension' | 'installed'>,
  sources: readonly SourceSpec[],
): Promise<Finding> {
  const check = `duckdb ${name}`;
  const uses = KNOWN.filter((one) => one.name === name);
  const needed = uses
    .map((use) => ({ use, by: sources.filter((source) => use.isOf(source)) }))
    .filter(({ by }) => by.length > 0);
  if (needed.length === 0) {
    const trouble = await duckdb.installed(name);
    const says = trouble === undefined ? 'loads' : 'is not on this machine';
    return { check, state: 'ok', says: `${says}; no source needs it (${uses.map(({ reads }) => reads).join('; ')})` };
  }
  const trouble = await duckdb.extension(name);
  if (trouble === undefined) {
    return { check, state: 'ok', says: `loads: it reads ${needed.map(({ use }) => use.reads).join('; ')}` };
  }
  const told = needed.map(({ use: { reads, instead }, by }) => {
    const who = by.map((source) => source.name).join(', ');
    return instead === undefined ? `${reads} cannot be read (${who})` : `of ${who} ${instead}`;
  });
  return {
    check,
    state: needed.some(({ use }) => use.instead === undefined) ? 'fail' : 'warn',
    says: `does not load (${trouble}): ${told.join('; ')}`,
    fix: `name a folder that holds ${name}.duckdb_extension as offline.extensions, or run INSTALL ${name} once where DuckDB's own host can be reached`,
  };
}
