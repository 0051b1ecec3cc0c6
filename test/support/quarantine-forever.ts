// A process made to be killed: pushes rows of which half are set apart, one push after the other, and tells of each that was
// answered. Arguments: registry, objects, log folder, LMDB folder.

import { openQuarantine } from '../../src/checks/index.ts';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { openIngestion } from '../../src/ingestion/index.ts';
import { openRowSchemas, openRuns } from '../../src/online/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { definitionsOf } from './event-definitions.ts';
import { LIMITS } from './ingestion-limits.ts';
import { checkedEvents } from './checked-events.ts';

const [registry = '', objects = '', path = '', online = ''] = process.argv.slice(2);
const database = await openDatabase(registry);
const clock = systemClock;
const log = await openEventLog({
  path,
  database,
  objects: openObjectStore(`file:${objects}`),
  clock,
  logger: silentLogger,
});
const store = openLmdbStore({ path: online, project: 'test', clock, mapSizeBytes: 2 ** 30 });
const definitions = definitionsOf(checkedEvents());
const ingestion = openIngestion(
  {
    log,
    store,
    runs: await openRuns(database),
    schemas: await openRowSchemas(database),
    deriver: () => (rows) => rows,
    quarantine: () => openQuarantine(database, { maxBytes: 1e9 }),
    clock,
    logger: silentLogger,
    limits: LIMITS,
  },
  { definitions: () => definitions },
);
const happened = new Date(Date.now() - 60_000).toISOString();
for (let i = 0; ; i++) {
  const rows = [
    { k: 'a', happened, x: i },
    { k: 'a', happened, x: -1 - i },
  ];
  const { accepted, quarantined } = await ingestion.push('events', rows, `push ${process.pid} ${i}`);
  process.stdout.write(`${JSON.stringify({ key: `push ${process.pid} ${i}`, i, accepted, quarantined })}\n`);
}
