// What was decoded of segments that are not compacted yet, kept beside them as Parquet, so that each question need not decode it
// again. A segment only grows, until it is compacted or cut to what is durable: a part of it is told by where it begins and ends.
//
// decoded/SEGMENT.FROM-TO.json              what the part has, written last
// decoded/SEGMENT.FROM-TO.TOKEN.N.parquet   its predictions by schema, its outcomes, its units' outcomes

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type Micros, parseJson, syncPath } from '../../core/index.ts';
import { quoteText } from '../../storage/index.ts';
import type { DamagedRange, LogTables } from './load-segment.ts';
import { outcomesSql, unitOutcomesSql } from './load-segment.ts';
import { columnsSql, typedSql } from './log-columns.ts';
import { namesIn, temporaryFolder } from './segments.ts';

export interface DecodedLimits {
  /** Less of a segment is decoded by each who asks. */
  readonly leastBytes: number;
  /** Of all that is kept. */
  readonly mostBytes: number;
  /** The disk is the log's: what it needs is not taken. */
  readonly leastFreeBytes: number;
}

export const DECODED_LIMITS: DecodedLimits = {
  leastBytes: 1024 ** 2,
  mostBytes: 1024 ** 3,
  leastFreeBytes: 4 * 1024 ** 3,
};

/** Of one segment. */
export interface DecodedPart {
  /** Bytes of the segment: whole frames. */
  readonly from: number;
  readonly to: number;
  /** The segment's last bytes before `to`, in hexadecimal: a disk that lost them has another segment there. */
  readonly ending: string;
  /** Places that can't be read. */
  readonly damaged: number;
  /** All that the part met, those without a row too: what follows it may have no others. */
  readonly schemas: readonly {
    readonly id: string;
    readonly text: string;
    readonly path: string | null;
    /** Of its newest prediction. */
    readonly newestMicros: Micros;
  }[];
  readonly outcomes: string | null;
  readonly unitOutcomes: string | null;
}

/** As it is written: with names in the folder, and each file's bytes, since a disk may give back less than was synced to it. */
interface Manifest extends DecodedPart {
  readonly sizes: Readonly<Record<string, number>>;
}

/** What `ending` has, at most. */
export const ENDING_BYTES = 16;

const decodedFolder = (directory: string): string => join(directory, 'decoded');
const MANIFEST = /^(.+)\.(\d+)-(\d+)\.json$/;

export interface DecodedSegments {
  /** From the segment's beginning on, each behind the one before. */
  of(segment: string): Promise<readonly DecodedPart[]>;
  /** Whether there is room for more, by what was there at first and was taken since. */
  hasRoom(): Promise<boolean>;
  /** One was kept. */
  took(part: DecodedPart): Promise<void>;
}

/** As they are now; what is damaged or half gone is as if it were not there. */
export async function listDecoded(directory: string, limits: DecodedLimits): Promise<DecodedSegments> {
  const folder = decodedFolder(directory);
  const names = await namesIn(folder);
  const there = new Set(names);
  const bySegment = Map.groupBy(
    names.flatMap((name) => {
      const [, segment = '', from = '', to = ''] = MANIFEST.exec(name) ?? [];
      return segment === '' ? [] : [{ name, segment, from: Number(from), to: Number(to) }];
    }),
    ({ segment }) => segment,
  );
  let bytes: number | undefined;
  return {
    async of(segment) {
      const parts: DecodedPart[] = [];
      const manifests = (bySegment.get(segment) ?? []).sort((a, b) => b.to - a.to);
      for (let at = 0; ; ) {
        const next = manifests.find(({ from, to }) => from === at && to > at);
        const part = next === undefined ? undefined : await readPart(folder, next.name, there);
        if (part === undefined) return parts;
        parts.push(part);
        at = part.to;
      }
    },
    async hasRoom() {
      if ((await statfs(directory).then(({ bavail, bsize }) => bavail * bsize)) < limits.leastFreeBytes) return false;
      bytes ??= await sizeOf(names.map((name) => join(folder, name)));
      return bytes < limits.mostBytes;
    },
    async took(part) {
      bytes = (bytes ?? 0) + (await sizeOf(filesOf(part)));
    },
  };
}

function filesOf({ schemas, outcomes, unitOutcomes }: DecodedPart): string[] {
  return [...schemas.map(({ path }) => path), outcomes, unitOutcomes].filter((file) => file !== null);
}

/** What is gone takes no room. */
async function sizeOf(paths: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const path of paths) bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
  return bytes;
}

async function readPart(folder: string, name: string, there: ReadonlySet<string>): Promise<DecodedPart | undefined> {
  try {
    // `keepDecoded` wrote it.
    const manifest = parseJson(await readFile(join(folder, name), 'utf8')) as unknown as Manifest;
    const { sizes, ...kept } = manifest;
    for (const file of filesOf(kept))
      if (!there.has(file) || (await stat(join(folder, file))).size !== sizes[file]) return undefined;
    const placed = (file: string | null): string | null => (file === null ? null : join(folder, file));
    return {
      ...kept,
      schemas: kept.schemas.map((schema) => ({ ...schema, path: placed(schema.path) })),
      outcomes: placed(kept.outcomes),
      unitOutcomes: placed(kept.unitOutcomes),
    };
  } catch {
    return undefined;
  }
}

export interface KeepDecoded {
  readonly connection: DuckDBConnection;
  readonly directory: string;
  readonly segment: string;
  readonly from: number;
  readonly to: number;
  readonly ending: string;
  readonly damaged: readonly DamagedRange[];
  /** The part's, and nothing else. */
  readonly tables: LogTables;
}

/** Keeps a part. Undefined where that can't be: whoever only reads the log may not write to its folder, or the disk is full. */
export async function keepDecoded(given: KeepDecoded): Promise<DecodedPart | undefined> {
  const { connection, directory, segment, from, to, ending, damaged, tables } = given;
  const folder = decodedFolder(directory);
  const start = `${segment}.${from}-${to}`;
  const token = randomBytes(6).toString('hex');
  const put: string[] = [];
  const copy = async (select: string): Promise<string> => {
    const file = `${start}.${token}.${put.length}.parquet`;
    put.push(file);
    const temporary = join(temporaryFolder(directory), file);
    await connection.run(`COPY (${select}) TO ${quoteText(temporary)} (FORMAT parquet, COMPRESSION zstd)`);
    await syncPath(temporary);
    await rename(temporary, join(folder, file));
    return file;
  };
  try {
    for (const path of [folder, temporaryFolder(directory)]) await mkdir(path, { recursive: true });
    const schemas: DecodedPart['schemas'][number][] = [];
    for (const table of tables.predictions) {
      const { id, text } = table.named;
      const path = table.rows === 0 ? null : await copy(typedSql(table));
      schemas.push({ id, text, path, newestMicros: await newestOf(connection, table.table) });
    }
    const outcomes =
      tables.outcomes === undefined ? null : await copy(columnsSql('outcomes', outcomesSql(tables.outcomes.table)));
    const unitOutcomes =
      tables.unitOutcomes === undefined
        ? null
        : await copy(columnsSql('unit_outcomes', unitOutcomesSql(tables.unitOutcomes.table)));
    const part: DecodedPart = { from, to, ending, damaged: damaged.length, schemas, outcomes, unitOutcomes };
    const temporary = join(temporaryFolder(directory), `${start}.${token}.json`);
    const sizes: Record<string, number> = {};
    for (const file of put) sizes[file] = (await stat(join(folder, file))).size;
    const manifest: Manifest = { ...part, sizes };
    await writeFile(temporary, JSON.stringify(manifest));
    await rename(temporary, join(folder, `${start}.json`));
    return await readPart(folder, `${start}.json`, new Set(await namesIn(folder)));
  } catch {
    // A question is answered without, and what it left is not told of by anything.
    for (const file of put)
      for (const place of [folder, temporaryFolder(directory)])
        await rm(join(place, file), { force: true }).catch(() => {});
    return undefined;
  }
}

/** When the newest prediction of a table was made. */
export async function newestOf(connection: DuckDBConnection, table: string): Promise<Micros> {
  const [[newest] = [null]] = (await connection.runAndReadAll(`SELECT max(predicted) FROM ${table}`)).getRowsJS();
  return Number(newest ?? 0);
}

/** Once the segment is compacted. What can't be removed is nobody's any more. */
export async function removeDecoded(directory: string, segment: string): Promise<void> {
  await removeWhere(directory, (name) => name.startsWith(`${segment}.`));
}

/** What a reader put there when its segment was compacted already. */
export async function removeStaleDecoded(
  directory: string,
  segments: ReadonlySet<string>,
  olderThan: Micros,
): Promise<void> {
  await removeWhere(directory, async (name, path) => {
    if (segments.has(name.slice(0, name.indexOf('.')))) return false;
    const found = await stat(path).catch(() => undefined);
    return found !== undefined && found.mtimeMs < olderThan / 1000;
  });
}

async function removeWhere(
  directory: string,
  isGoing: (name: string, path: string) => boolean | Promise<boolean>,
): Promise<void> {
  const folder = decodedFolder(directory);
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    if (await isGoing(name, path)) await rm(path, { force: true }).catch(() => {});
  }
}
