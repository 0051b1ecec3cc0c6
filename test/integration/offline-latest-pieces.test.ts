// A spine with more points than are held at once: the source is read once for every piece of them, and what each point
// sees is the same as when they are all held, in the middle of a key too.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replayLatest } from '../../src/offline/duckdb/latest-replay.ts';
import { makePoints } from '../../src/offline/duckdb/point-keys.ts';
import { planTrainingSet, type ReadPlan } from '../../src/offline/plan.ts';
import {
  fields,
  type OfflineWorld,
  oneView,
  openOfflineWorld,
  sourceOf,
  TYPES,
  viewOf,
} from '../support/offline-world.ts';

const source = sourceOf('events', 'events.parquet', fields({ id: TYPES.int64, at: TYPES.timestamp, x: TYPES.int32 }));
const features = [{ name: 'x', type: TYPES.int32, aggregation: { op: 'latest', column: 'x' } }] as const;
const manifest = oneView(source, viewOf('view', 'one', 'events', ['id'], features, { ttlMicros: 400 }));

// Few instants, so that many events tie in full; the log's known times lag by anything.
const EVENTS = `(SELECT i AS __hr_row, hash(i) % 9 AS id, make_timestamp(e) AS "at", hash(i + 3) % 3 AS x, e AS __hr_event,
  e + CAST(hash(i + 2) % 40 * 10 AS BIGINT) AS __hr_known, CAST(NULL AS INTEGER) AS __hr_writer, CAST(NULL AS BIGINT) AS __hr_offset
  FROM (SELECT range AS i, CAST(hash(range + 1) % 100 * 10 AS BIGINT) AS e FROM range(5000)))`;

describe('points in several pieces', () => {
  let world: OfflineWorld;
  beforeAll(async () => {
    world = await openOfflineWorld();
    await world.connection.run(
      'CREATE TEMP TABLE spine AS SELECT range AS __hr_spine, hash(range + 7) % 10 AS id, CAST(hash(range + 8) % 1200 AS BIGINT) AS __hr_at FROM range(1000)',
    );
  });
  afterAll(() => world.close());

  async function winners(boundary: 'at' | 'before', mostPoints: number): Promise<unknown[][]> {
    const request = { service: 's', timestamp: 'at', labels: [], boundary };
    const read = planTrainingSet(manifest, request).reads[0] as ReadPlan;
    const tables = await makePoints(world.connection, 'test', read, 'spine', new Map([['id', 'id']]));
    const relation = { source, relation: EVENTS };
    const found = await replayLatest(world.connection, 'test', read, relation, tables, mostPoints);
    // Rows that are the same but for their number are one to a reader.
    const sql = `SELECT w.__hr_spine, e.__hr_event, e.__hr_known, e.x FROM ${found} w JOIN ${EVENTS} e USING (__hr_row) ORDER BY ALL`;
    return await world.select(sql);
  }

  it.each(['at', 'before'] as const)('give what one piece gives (%s)', async (boundary) => {
    const whole = await winners(boundary, 1000);
    expect(whole.length).toBeGreaterThan(500);
    for (const size of [999, 64, 7]) expect(await winners(boundary, size)).toEqual(whole);
  });
});
