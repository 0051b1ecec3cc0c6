// A process that consumes a topic until it has caught up, and kills itself at the step it is told. Argument: its places as
// JSON. Prints what it did.

import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { openFeeds, openIngestion } from '../../src/ingestion/index.ts';
import { type OnlineStore, openOnlineStore, openRowSchemas, openRuns } from '../../src/online/index.ts';
import { openDatabase, openObjectStore, parseBrokers } from '../../src/storage/index.ts';
import { consume, openDeadLetterFile, openKafkaStream } from '../../src/streams/index.ts';
import { eventDefinitions } from './event-definitions.ts';
import { createWatch, type Fault } from './fault-points.ts';
import { LIMITS } from './ingestion-limits.ts';
import { jsonRules } from './stream-rules.ts';

export interface ConsumePlaces {
  readonly registry: string;
  readonly objects: string;
  readonly online: string;
  readonly log: string;
  readonly broker: string;
  readonly topic: string;
  readonly group: string;
  readonly deadLetters: string;
  readonly faults: readonly Fault[];
}

// The parent wrote it.
const places = JSON.parse(process.argv[2] ?? '') as ConsumePlaces;
const watch = createWatch(places.faults);
const definitions = eventDefinitions();
const database = await openDatabase(places.registry);
const log = await openEventLog({
  path: places.log,
  database,
  objects: openObjectStore(`file:${places.objects}`),
  clock: systemClock,
  logger: silentLogger,
});
const opened = await openOnlineStore(places.online, { project: 'test', clock: systemClock });
const store: OnlineStore = {
  ...opened,
  writer: async (link) => watch(await opened.writer(link), 'store'),
};
const ingestion = openIngestion(
  {
    log: { ...log, register: async () => watch(await log.register(), 'log') },
    store,
    runs: await openRuns(database),
    schemas: await openRowSchemas(database),
    feeds: watch(await openFeeds(database), 'feeds'),
    deriver: () => (rows) => rows,
    clock: systemClock,
    logger: silentLogger,
    limits: LIMITS,
  },
  { definitions: () => definitions, lookEveryMs: 50 },
);
await ingestion.settle();
const address = parseBrokers(places.broker, 'BROKERS');
const stream = await openKafkaStream({ address, topic: places.topic, group: places.group });
const done = await consume({
  stream: watch(stream, 'stream'),
  deadLetters: watch(openDeadLetterFile(places.deadLetters, places.topic), 'letters'),
  feed: (partition) => ingestion.feed({ source: 'events', feed: `kafka/${stream.topicId}/${partition}` }),
  sift: (rows) => ingestion.sift('events', rows),
  rules: await jsonRules(definitions, 'events'),
  isUntilCaughtUp: true,
  patienceMs: 20_000,
  logger: silentLogger,
  signal: new AbortController().signal,
});
process.stdout.write(`${JSON.stringify(done)}\n`);
await stream.close();
await ingestion.close();
await opened.close();
await log.close();
await database.close();
