// A process that pushes numbered events, some with a key, several at once, with a cut now and then, and says what it sent
// and what was acknowledged; or one that settles the dead. Made to be killed. Argument: its places as JSON.

import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openIngestion, openPushedTable } from '../../src/ingestion/index.ts';
import { openOnlineStore, openRowSchemas, openRuns } from '../../src/online/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { eventDefinitions } from './event-definitions.ts';
import { LIMITS } from './ingestion-limits.ts';
import { openLogAt } from './log-places.ts';
import { type ForeverPlaces, numberedEvent, numberedKey } from './numbered-events.ts';

// The parent wrote it.
const places = JSON.parse(process.argv[2] ?? '') as ForeverPlaces;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const definitions = eventDefinitions();
const database = await openDatabase(places.registry);
const objects = openObjectStore(`file:${places.objects}`);
const log = await openLogAt(places.topic, {
  path: places.log,
  database,
  objects,
  clock: systemClock,
  logger: silentLogger,
  segmentBytes: 20_000,
});
const store = await openOnlineStore(places.online, { project: 'test', clock: systemClock });
const runs = await openRuns(database);
const ingestion = openIngestion(
  {
    log,
    store,
    runs,
    schemas: await openRowSchemas(database),
    pushed: await openPushedTable(database),
    deriver: () => (rows) => rows,
    clock: systemClock,
    logger: silentLogger,
    limits: LIMITS,
  },
  { definitions: () => definitions, lookEveryMs: 5 },
);

if (places.mode === 'settle') {
  say('settling');
  say(`settled ${await ingestion.settle()}`);
  setInterval(() => {}, 1000);
} else {
  const at = Date.now() * 1000;
  const push = async (number: number): Promise<void> => {
    const key = numberedKey(number);
    say(`sent ${number} ${at}`);
    await ingestion.push('events', [numberedEvent(number, at)], key);
    say(`acknowledged ${number}`);
  };
  for (let number = places.first; ; number += 4) {
    await Promise.all([push(number), push(number + 1), push(number + 2), push(number + 3)]);
    if (number % 20 !== places.first % 20) continue;
    await runs.ask({
      view: 'none',
      version: `none@${places.first}`,
      snapshot: [],
      proposed: -Infinity,
      asOf: at,
      carriesWaiting: true,
      fingerprint: '',
      askedMicros: at,
    });
  }
}
