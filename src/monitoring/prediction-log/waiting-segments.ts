// Segments that are not compacted yet, as relations of a connection: of each what was decoded before is read from where it is
// kept, and the rest is decoded now; where that is much it is kept for who asks next.

import { open } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type NamedSchema, readSchema } from './arm-schema.ts';
import {
  type DecodedLimits,
  type DecodedPart,
  type DecodedSegments,
  ENDING_BYTES,
  keepDecoded,
  listDecoded,
} from './decoded-segments.ts';
import { findKeptSchema } from './kept-schemas.ts';
import { createLogTables, type LogTables, outcomesSql, unitOutcomesSql } from './load-segment.ts';
import { columnsSql, readFilesSql, typedSql } from './log-columns.ts';
import type { LogRange, TypedPart } from './log-parts.ts';
import type { Segment } from './segments.ts';

/** A process that serves may ask: requests wait for no more records than these. */
const RECORDS_A_TURN = 512;

export interface WaitingSegments {
  readonly predictions: readonly TypedPart[];
  /** With the columns of their kind. */
  readonly outcomes: readonly string[];
  readonly unitOutcomes: readonly string[];
  /** Places that can't be read. */
  readonly damaged: number;
}

/** Predictions of `range`, and maybe others around it. Throws ENOENT where a segment is gone by now. */
export async function openWaiting(
  connection: DuckDBConnection,
  directory: string,
  segments: readonly Segment[],
  { range, limits }: { readonly range: Omit<LogRange, 'to'>; readonly limits: DecodedLimits },
): Promise<WaitingSegments> {
  const kept = await listDecoded(directory, limits);
  const turns = { pause: () => breathe(), recordsATurn: RECORDS_A_TURN };
  const parts: DecodedPart[] = [];
  /** Of the segment that is read. */
  let known: ReadonlyMap<string, NamedSchema> = new Map();
  const schemaOf = async (id: string): Promise<NamedSchema | undefined> =>
    known.get(id) ?? (await findKeptSchema(directory, id));
  const tables = [createLogTables(connection, { ...range, ...turns, schemaOf })];
  const [rest] = tables as [LogTables];
  let damaged = 0;
  try {
    for (const segment of segments) {
      const read = await readUndecoded(segment, kept);
      parts.push(...read.parts);
      known = schemasOf(read.parts);
      let { bytes } = read;
      if (bytes.length >= limits.leastBytes && (await kept.hasRoom().catch(() => false))) {
        const own = createLogTables(connection, { ...turns, schemaOf });
        tables.push(own);
        const { damaged: ranges, readTo } = await own.load(bytes);
        own.finish();
        const whole = ranges.filter(({ to }) => to <= readTo);
        const part = await keepDecoded({
          connection,
          directory,
          segment: segment.name,
          from: read.from,
          to: read.from + readTo,
          ending: bytes.toString('hex', Math.max(0, readTo - ENDING_BYTES), readTo),
          damaged: whole,
          tables: own,
        });
        bytes = bytes.subarray(readTo);
        if (part === undefined) damaged += whole.length;
        else {
          tables.pop();
          await own.drop();
          parts.push(part);
          await kept.took(part);
          known = schemasOf([...read.parts, part]);
        }
      }
      damaged += (await rest.load(bytes)).damaged.length;
    }
    rest.finish();
  } catch (error) {
    for (const one of tables) await one.drop();
    throw error;
  }
  damaged += parts.reduce((sum, part) => sum + part.damaged, 0);
  return { ...relationsOf(tables, parts, range), damaged };
}

interface Undecoded {
  readonly parts: readonly DecodedPart[];
  /** Where `bytes` begin in the segment. */
  readonly from: number;
  readonly bytes: Buffer;
}

async function readUndecoded({ name, path }: Segment, kept: DecodedSegments): Promise<Undecoded> {
  const parts = await kept.of(name);
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const last = parts.at(-1);
    if (last !== undefined && last.to <= size) {
      const ending = Buffer.from(last.ending, 'hex');
      const from = last.to - ending.length;
      const bytes = await readFrom(handle, from, size);
      if (bytes.subarray(0, ending.length).equals(ending))
        return { parts, from: last.to, bytes: bytes.subarray(ending.length) };
    }
    // It was cut to what was durable, or is another one: what was decoded of it tells of what is lost.
    return { parts: [], from: 0, bytes: await readFrom(handle, 0, size) };
  } finally {
    await handle.close();
  }
}

async function readFrom(handle: Awaited<ReturnType<typeof open>>, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(to - from);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, from + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

function schemasOf(parts: readonly DecodedPart[]): ReadonlyMap<string, NamedSchema> {
  const found = new Map<string, NamedSchema>();
  for (const { id, text } of parts.flatMap(({ schemas }) => schemas)) {
    const named = readSchema(id, text);
    if (named !== undefined) found.set(id, named);
  }
  return found;
}

function relationsOf(
  tables: readonly LogTables[],
  parts: readonly DecodedPart[],
  { from = -Infinity, endpoint }: Omit<LogRange, 'to'>,
): Omit<WaitingSegments, 'damaged'> {
  const known = schemasOf(parts);
  const files = parts.flatMap(({ schemas }) =>
    schemas.flatMap(({ id, path, newestMicros }) => {
      const named = known.get(id);
      if (named === undefined || path === null || newestMicros < from) return [];
      return endpoint === undefined || named.schema.endpoint === endpoint ? [{ named, path }] : [];
    }),
  );
  const predictions = [
    ...tables.flatMap((one) => one.predictions.map((table) => ({ named: table.named, sql: `(${typedSql(table)})` }))),
    ...Array.from(Map.groupBy(files, ({ named }) => named.id).values(), (group) => ({
      named: (group[0] as (typeof group)[number]).named,
      sql: readFilesSql(group),
    })),
  ];
  const keptOf = (kind: 'outcomes' | 'unitOutcomes'): string[] => parts.flatMap((part) => part[kind] ?? []);
  const kinds = [
    ['outcomes', 'outcomes', outcomesSql],
    ['unit_outcomes', 'unitOutcomes', unitOutcomesSql],
  ] as const;
  const [outcomes = [], unitOutcomes = []] = kinds.map(([kind, key, sqlOf]) => {
    const paths = keptOf(key);
    return [
      ...tables.flatMap((one) => one[key] ?? []).map(({ table }) => columnsSql(kind, sqlOf(table))),
      ...(paths.length === 0 ? [] : [columnsSql(kind, readFilesSql(paths.map((path) => ({ path }))))]),
    ];
  });
  return { predictions, outcomes, unitOutcomes };
}
