// A process that materializes everything once and says how far it is; made to be killed.
// Arguments: the world's folder, the online store's URL, the registry's URL, the time in microseconds.

import { join } from 'node:path';
import { fixedClock, silentLogger } from '../../src/core/index.ts';
import { materialize } from '../../src/offline/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { openDatabase, openDuckDb } from '../../src/storage/index.ts';
import { materializeDefinitions } from './materialize-world.ts';

const [directory, storeUrl, databaseUrl, now] = process.argv.slice(2) as [string, string, string, string];
const clock = fixedClock(Number(now));
const say = (what: string) => process.stdout.write(`${what}\n`);
const database = await openDatabase(databaseUrl);
const duckdb = await openDuckDb({ tempDirectory: join(directory, `spill-${process.pid}`), threads: 1 });
const store = await openOnlineStore(storeUrl, { project: 'test', clock });
await materialize(
  {
    definitions: materializeDefinitions(directory),
    database,
    duckdb,
    clock,
    logger: silentLogger,
    store,
    progress: { start: say, advance: (done) => say(String(done)), done: () => say('done') },
    dataDirectory: directory,
    log: undefined,
  },
  { incremental: true, dryRun: false },
);
await store.close();
await duckdb.close();
await database.close();
