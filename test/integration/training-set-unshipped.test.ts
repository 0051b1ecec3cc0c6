// A training set of a source that is pushed to: it holds what servers have acknowledged.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_HOUR, MICROS_PER_MINUTE, silentLogger, type Value } from '../../src/core/index.ts';
import { getTrainingSet, presentTrainingSet, type TrainingSetRecord } from '../../src/offline/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { type OfflineBeside, openOfflineBeside } from '../support/offline-beside.ts';
import { trainedRows } from '../support/one-view.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
const PUSHED = { rows: 3n, sum_n: 6n, last_x: 3 };

describe('a training set of what was pushed an hour ago, while nobody materializes', () => {
  let world: IngestionWorld;
  let offline: OfflineBeside;
  let trained: Readonly<Record<string, Value>> | undefined;
  let online: object | undefined;
  let again: Readonly<Record<string, Value>> | undefined;
  let record: TrainingSetRecord | undefined;
  const warnings: object[] = [];
  beforeAll(async () => {
    const [kind] = onlineStoreKinds();
    world = await openIngestionWorld(kind as NonNullable<typeof kind>);
    const server = await world.open({ definitions: () => definitions, lookEveryMs: 50 });
    const row = (x: number) => ({ k: 'k', happened: formatTimestamp(NOW - (4 - x) * MICROS_PER_MINUTE), x, n: x });
    await server.ingestion.push('events', [1, 2, 3].map(row));
    world.clock.now += MICROS_PER_HOUR;
    offline = await openOfflineBeside(world, server.log, definitions);
    const spine = join(offline.directory, 'spine.parquet');
    await offline.connection.run(`COPY (SELECT 'k' AS k, make_timestamp(${NOW}) AS t) TO '${spine}'`);
    trained = (await trainedRows(offline, manifest, spine)).rows[0];
    online = await world.valuesOf(manifest, 'k', NOW);
    await server.ingestion.close();
    // Another server that does not look for what is asked of it.
    const silent = await world.open({ definitions: () => definitions, machine: 'silent' });
    await silent.ingestion.push('events', [4, 5].map(row));
    await silent.ingestion.look();
    const warn = (fields: object) => void warnings.push(fields);
    const deps = { ...offline.deps, askTimeoutMs: 1, logger: { ...silentLogger, warn } };
    const own = await trainedRows({ ...offline, deps }, manifest, spine);
    record = await getTrainingSet(deps, own.id);
    again = own.rows[0];
  });
  afterAll(async () => {
    await offline.close();
    await world.close();
  });

  it('online it counts', () => {
    expect(online).toMatchObject(PUSHED);
  });

  it('the set says how many events wait where a server does not ship them', () => {
    const [writer] = record?.unshipped ?? [];
    expect(record?.unshipped).toEqual([{ writer: expect.any(Number), events: 2 }]);
    expect(presentTrainingSet(record as TrainingSetRecord)).toMatchObject({ unshipped: record?.unshipped });
    expect(warnings).toContainEqual(expect.objectContaining(writer));
    expect(again).toMatchObject(PUSHED);
  });

  it('it counts, too', () => {
    expect(trained).toMatchObject(PUSHED);
  });
});
