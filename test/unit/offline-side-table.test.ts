// Tables filled while a stream of the same connection is read: nothing of either is lost, nothing is left behind.

import { DOUBLE, DuckDBDataChunk } from '@duckdb/node-api';
import { describe, expect, it } from 'vitest';
import { openSideTable } from '../../src/offline/duckdb/side-table.ts';
import { numbersOf } from '../../src/offline/duckdb/vector-values.ts';
import { worldOfAll } from '../support/offline-world.ts';

/** Several times what an appender keeps before it flushes by itself. */
const ROWS = 700_000;

const COLUMNS = 'first DOUBLE, second DOUBLE';

/** Each number, and twice it. */
function pairsOf(numbers: Float64Array): DuckDBDataChunk {
  const chunk = DuckDBDataChunk.create([DOUBLE, DOUBLE], numbers.length);
  for (const [i, values] of [numbers, numbers.map((value) => 2 * value)].entries()) {
    const vector = chunk.getColumnVector(i);
    numbersOf<Float64Array>(vector).set(values);
    vector.flush();
  }
  return chunk;
}

describe('a table beside a stream', () => {
  const world = worldOfAll();

  const tables = () => world.select('SELECT table_name FROM duckdb_tables() WHERE NOT temporary');

  it('holds every row, and the stream goes to its end', async () => {
    const pairs = await openSideTable(world.deps.duckdb, world.connection, 'pairs', COLUMNS);
    const stream = await world.connection.stream(`SELECT range::DOUBLE FROM range(${ROWS})`);
    let read = 0;
    for (
      let chunk = await stream.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await stream.fetchChunk()
    ) {
      pairs.append(pairsOf(numbersOf<Float64Array>(chunk.getColumnVector(0))));
      read += chunk.rowCount;
    }
    // They lie with DuckDB, which spills them, and not here: all but what an appender keeps.
    const [[kept] = []] = await world.select(
      "SELECT estimated_size FROM duckdb_tables() WHERE table_name LIKE '__hr_side%'",
    );
    expect(Number(kept)).toBeGreaterThan(ROWS / 2);
    await pairs.finish();
    expect(read).toBe(ROWS);
    const sum = (ROWS * (ROWS - 1)) / 2;
    expect(await world.select('SELECT count(*), sum(first), sum(second) FROM pairs')).toEqual([
      [BigInt(ROWS), sum, 2 * sum],
    ]);
    expect(await tables()).toEqual([]);
  });

  it('is gone when it is not finished', async () => {
    const pairs = await openSideTable(world.deps.duckdb, world.connection, 'others', COLUMNS);
    pairs.append(pairsOf(Float64Array.from({ length: 2000 }, (_, i) => i)));
    await pairs.discard();
    await pairs.discard();
    expect(await tables()).toEqual([]);
    await expect(world.select('FROM others')).rejects.toThrow();
  });
});
