// Keys that have a base in the store and no facts any more: they get an empty one. The store's keys are compared with those
// that the run wrote, both as bytes in tables of DuckDB, which spills them: memory stays flat however many there are.

import { BLOB, type DuckDBConnection, DuckDBDataChunk, type DuckDBBlobVector, blobValue } from '@duckdb/node-api';
import type { EncodedKey } from '../../core/index.ts';
import { type Coverage, type OnlineStore, runOfBase, type ViewCodec } from '../../online/index.ts';
import { CHUNK_ROWS, type DuckDb } from '../../storage/index.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { countedParts } from './counted-parts.ts';
import { dropTables, nextTable } from './work-table.ts';

export interface StoredKeys {
  /** False only where no covered part lies with the key, however old. */
  mayHaveCountedParts(key: EncodedKey): boolean;
  /** To be called with every key that the run writes. */
  wrote(keys: readonly EncodedKey[]): void;
  /** The stored keys that were not written, some at a time. */
  gone(): AsyncIterable<readonly EncodedKey[]>;
  close(): Promise<void>;
}

/**
 * Looks through the store's records of the version, once earlier runs are fenced and before the run's own bases: what a
 * base of another run stands for now is not yet said by it.
 */
export async function scanStoredKeys(
  duckdb: DuckDb,
  store: OnlineStore,
  { recordsOf, version }: Pick<ViewCodec, 'recordsOf' | 'version'>,
  run: number,
  coverage: Coverage,
): Promise<StoredKeys> {
  const connection = await duckdb.connect();
  const stored = await createKeyTable(connection, nextTable('stored'));
  const withParts = new KeyFilter();
  for await (const { key, record } of store.scan(recordsOf, version)) {
    const hasParts = countedParts(record.parts, coverage).length > 0;
    if (hasParts) withParts.add(key);
    const isOthers = record.base !== undefined && runOfBase(record.base) !== run;
    // Parts alone count by themselves until a base says that it has them.
    if (isOthers || (hasParts && record.base === undefined)) stored.add(key);
  }
  stored.close();
  const written = await createKeyTable(connection, nextTable('written'));
  return {
    mayHaveCountedParts: (key) => withParts.mayHave(key),
    wrote(keys) {
      for (const key of keys) written.add(key);
    },
    async *gone() {
      written.close();
      const stream = await connection.stream(
        `SELECT DISTINCT key FROM ${stored.name} ANTI JOIN ${written.name} USING (key)`,
      );
      for await (const chunk of readAhead(stream)) {
        const blobs = chunk.getColumnVector(0) as DuckDBBlobVector;
        // Branding: these are keys as the store gave them.
        yield Array.from(
          { length: chunk.rowCount },
          (_, i) => Uint8Array.from(blobs.getItemBytes(i) ?? []) as EncodedKey,
        );
      }
    },
    async close() {
      stored.close();
      written.close();
      await dropTables(connection, [stored.name, written.name]);
      connection.closeSync();
    },
  };
}

/**
 * A Bloom filter (Bloom 1970) of keys, of a fixed size: with 20 million keys in it, one in 200 others passes for one of
 * them, which costs a read.
 */
class KeyFilter {
  #bits: Uint32Array | undefined;

  add(key: EncodedKey): void {
    this.#bits ??= new Uint32Array(1 << (FILTER_BITS_LOG2 - 5));
    for (const bit of bitsOf(key)) this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] as number) | (1 << (bit & 31));
  }

  mayHave(key: EncodedKey): boolean {
    const bits = this.#bits;
    return bits !== undefined && bitsOf(key).every((bit) => ((bits[bit >>> 5] as number) & (1 << (bit & 31))) !== 0);
  }
}

/** 32 MiB. */
const FILTER_BITS_LOG2 = 28;

/** Four places by two hashes (Kirsch and Mitzenmacher 2006), each FNV-1a with its own start and a last mix. */
function bitsOf(key: EncodedKey): readonly number[] {
  let [a, b] = [0x811c9dc5, 0x01234567];
  for (const byte of key) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x01000193);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
  b = Math.imul(b ^ (b >>> 15), 0xc2b2ae35) | 1;
  return [0, 1, 2, 3].map((i) => (a + Math.imul(i, b)) >>> (32 - FILTER_BITS_LOG2));
}

async function createKeyTable(connection: DuckDBConnection, name: string) {
  await connection.run(`CREATE TABLE ${name} (key BLOB)`);
  const appender = await connection.createAppender(name);
  let keys: EncodedKey[] = [];
  let isOpen = true;
  const flush = () => {
    if (keys.length === 0) return;
    const chunk = DuckDBDataChunk.create([BLOB], keys.length);
    const vector = chunk.getColumnVector(0);
    keys.forEach((key, i) => vector.setItem(i, blobValue(key)));
    vector.flush();
    appender.appendDataChunk(chunk);
    keys = [];
  };
  return {
    name,
    add(key: EncodedKey): void {
      if (keys.push(key) === CHUNK_ROWS) flush();
    },
    close(): void {
      if (!isOpen) return;
      isOpen = false;
      flush();
      appender.closeSync();
    },
  };
}
