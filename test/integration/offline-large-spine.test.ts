// A spine larger than DuckDB's own buffers: every row keeps its latest and windowed features, in order.

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { quoteText } from '../../src/storage/index.ts';
import { createTrainingSet } from '../../src/offline/index.ts';
import { definitionsOf, fields, oneView, openOfflineWorld, sourceOf, TYPES, viewOf } from '../support/offline-world.ts';

const ROWS = 250_000;

it('keeps every row of a spine of a quarter of a million', { timeout: 60_000 }, async () => {
  const world = await openOfflineWorld();
  try {
    const { connection, directory } = world;
    const [events, spine, out] = ['events.parquet', 'spine.parquet', 'out.parquet'].map((file) =>
      join(directory, file),
    ) as [string, string, string];
    await connection.run(
      `COPY (SELECT i % 1000 AS k, make_timestamp(i * 1000000) AS at, i AS x FROM range(100000) t(i)) TO ${quoteText(events)}`,
    );
    await connection.run(
      `COPY (SELECT i % 1000 AS k, make_timestamp(200000000000) AS at, i AS n FROM range(${ROWS}) t(i)) TO ${quoteText(spine)}`,
    );
    const window = { windowMicros: 100 * MICROS_PER_HOUR, hopMicros: MICROS_PER_HOUR };
    const view = viewOf(
      'v',
      'e',
      'events',
      ['k'],
      [
        { name: 'last_x', type: TYPES.int64, aggregation: { op: 'latest', column: 'x' } },
        { name: 'rows', type: TYPES.int64, aggregation: { op: 'count', column: null, ...window } },
      ],
    );
    const columns = fields({ k: TYPES.int64, at: TYPES.timestamp, x: TYPES.int64 });
    const manifest = oneView(sourceOf('events', events, columns), view);
    await createTrainingSet(
      { ...world.deps, definitions: definitionsOf(manifest, directory) },
      { service: 's', spine, timestamp: 'at', labels: [], boundary: 'at', out },
    );
    const result = await connection.run(
      `SELECT count(*)::INTEGER, count(*) FILTER (WHERE v__last_x = 99000 + k)::INTEGER, count(*) FILTER (WHERE v__rows = 100)::INTEGER ` +
        `FROM read_parquet(${quoteText(out)})`,
    );
    expect((await result.getRows())[0]).toEqual([ROWS, ROWS, ROWS]);
  } finally {
    await world.close();
  }
});
