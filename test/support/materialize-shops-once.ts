// A process that materializes the shops' views once. After so many words of progress it stops itself, between two writes,
// until it is told to go on; when it ends it says how.
// Arguments: the world's folder, the online store's URL, the registry's URL, the time in microseconds, the words.

import { join } from 'node:path';
import { fixedClock, silentLogger, toHeadraceError } from '../../src/core/index.ts';
import { materialize } from '../../src/offline/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';
import { openDatabase, openDuckDb } from '../../src/storage/index.ts';
import { shopManifest } from './materialize-pushes.ts';
import { definitionsOf } from './offline-world.ts';

const [directory, storeUrl, databaseUrl, now, words] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const clock = fixedClock(Number(now));
const database = await openDatabase(databaseUrl);
const duckdb = await openDuckDb({ tempDirectory: join(directory, `spill-${process.pid}`), threads: 1 });
const store = await openOnlineStore(storeUrl, { project: 'test', clock });
let left = Number(words);
const stopOnce = (): void => {
  if (--left === 0) process.kill(process.pid, 'SIGSTOP');
};
const how = await materialize(
  {
    definitions: definitionsOf(shopManifest(join(directory, 'sales*.parquet')), directory),
    database,
    duckdb,
    clock,
    logger: silentLogger,
    store,
    progress: { start() {}, advance: stopOnce, done() {} },
    dataDirectory: directory,
    log: undefined,
  },
  { views: ['last'], incremental: true, dryRun: false },
).then(
  ({ views }) => views[0]?.state ?? 'none',
  (error: unknown) => `${toHeadraceError(error).code}: ${toHeadraceError(error).message}`,
);
process.stdout.write(`${how}\n`);
await store.close().catch(() => {});
await duckdb.close();
await database.close();
