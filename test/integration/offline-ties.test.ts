// Ties by the hundred thousand: rows of one key that happened, and became known, at the very same time.

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createTrainingSet } from '../../src/offline/index.ts';
import { quoteText } from '../../src/storage/index.ts';
import { definitionsOf, fields, oneView, openOfflineWorld, sourceOf, TYPES, viewOf } from '../support/offline-world.ts';

const TIES = 300_000;

it('finds the winner of 300,000 rows of one key and time', { timeout: 60_000 }, async () => {
  const world = await openOfflineWorld();
  try {
    const { connection, directory } = world;
    const [events, spine, out] = ['events.parquet', 'spine.parquet', 'out.parquet'].map((file) =>
      join(directory, file),
    ) as [string, string, string];
    // The greatest content is neither the first row nor the last. Key 1 ties twice, at two times; key 2 not at all.
    await connection.run(
      `COPY (SELECT 1::BIGINT AS k, make_timestamp(CASE WHEN i < ${TIES} THEN 1000000 ELSE 2000000 END) AS at,
        (i * 7919) % ${TIES} + (i // ${TIES}) * ${TIES} AS x FROM range(${2 * TIES}) t(i)
        UNION ALL SELECT 2, make_timestamp(1000000), -1) TO ${quoteText(events)}`,
    );
    await connection.run(
      `COPY (SELECT k::BIGINT AS k, make_timestamp(micros) AS at FROM (VALUES (1, 999999), (1, 1500000), (2, 1500000), (1, 2500000),
        (1, 3500000)) t(k, micros)) TO ${quoteText(spine)}`,
    );
    const latest = { name: 'last_x', type: TYPES.int64, aggregation: { op: 'latest', column: 'x' } } as const;
    const columns = fields({ k: TYPES.int64, at: TYPES.timestamp, x: TYPES.int64 });
    const manifest = oneView(sourceOf('events', events, columns), viewOf('v', 'e', 'events', ['k'], [latest]));
    await createTrainingSet(
      { ...world.deps, definitions: definitionsOf(manifest, directory) },
      { service: 's', spine, timestamp: 'at', labels: [], boundary: 'at', out },
    );
    const result = await connection.runAndReadAll(`SELECT v__last_x::INTEGER FROM read_parquet(${quoteText(out)})`);
    expect(result.getRows()).toEqual([[null], [TIES - 1], [-1], [2 * TIES - 1], [2 * TIES - 1]]);
  } finally {
    await world.close();
  }
});
