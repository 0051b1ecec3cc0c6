// Tables filled while a stream of the same connection is read: nothing of either is lost, nothing is left behind.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPairTable } from '../../src/offline/duckdb/pair-table.ts';
import { numbersOf } from '../../src/offline/duckdb/vector-values.ts';
import { type OfflineWorld, openOfflineWorld } from '../support/offline-world.ts';

/** Several times what an appender keeps before it flushes by itself. */
const ROWS = 700_000;

describe('a table beside a stream', () => {
  let world: OfflineWorld;
  beforeAll(async () => {
    world = await openOfflineWorld();
  });
  afterAll(() => world.close());

  const one = async (sql: string) => (await world.connection.runAndReadAll(sql)).getRows();
  const tables = async () => one('SELECT table_name FROM duckdb_tables() WHERE NOT temporary');

  it('holds every pair, and the stream goes to its end', async () => {
    const pairs = await createPairTable(world.deps.duckdb, world.connection, 'pairs');
    const stream = await world.connection.stream(`SELECT range::DOUBLE FROM range(${ROWS})`);
    let read = 0;
    for (
      let chunk = await stream.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await stream.fetchChunk()
    ) {
      for (const value of numbersOf<Float64Array>(chunk.getColumnVector(0))) pairs.add(value, 2 * value);
      read += chunk.rowCount;
    }
    // They lie with DuckDB, which spills them, and not here: all but what an appender keeps.
    const [[kept] = []] = await one("SELECT estimated_size FROM duckdb_tables() WHERE table_name LIKE '__hr_side%'");
    expect(Number(kept)).toBeGreaterThan(ROWS / 2);
    await pairs.finish();
    expect(read).toBe(ROWS);
    const sum = (ROWS * (ROWS - 1)) / 2;
    expect(await one('SELECT count(*), sum(first), sum(second) FROM pairs')).toEqual([[BigInt(ROWS), sum, 2 * sum]]);
    expect(await tables()).toEqual([]);
  });

  it('is gone when it is not finished', async () => {
    const pairs = await createPairTable(world.deps.duckdb, world.connection, 'others');
    for (let i = 0; i < 5000; i++) pairs.add(i, i);
    await pairs.discard();
    await pairs.discard();
    expect(await tables()).toEqual([]);
    await expect(one('FROM others')).rejects.toThrow();
  });
});
