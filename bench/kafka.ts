// A topic consumed into the store: how many messages a second in batches, and how long from the producer's call until a read
// sees the event. Beside each a bare consumer of the same messages, which only takes them from the broker.

import { spawn } from 'node:child_process';
import { writeFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { applyRepository, openApp, openConsumer, readEnvironment } from '../src/app/index.ts';
import { encodeKey, silentLogger } from '../src/core/index.ts';
import { resolveService } from '../src/definitions/index.ts';
import { createFeatureReader } from '../src/online/index.ts';
import { parseBrokers } from '../src/storage/index.ts';
import { consume, type MessageStream, openKafkaStream } from '../src/streams/index.ts';
import { findKafka, WITHOUT_KAFKA } from '../test/support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../test/support/kafka-server.ts';
import { MAIN } from '../test/support/serving-project.ts';
import { measureKafkaLog } from './kafka-log.ts';
import { type Figure, type Section, whole } from './report.ts';

const PARTITIONS = 4;
const KEYS = 10_000;
const LEAST_EVENTS = 50_000;
const MOST_MS = 250;
const RATE = 5000;
const TICK_MS = 10;
/** A read that waits for an event asks so often. */
const POLL_MS = 2;

const about = `One broker, ${PARTITIONS} partitions, JSON, a view of three windows over ${whole(KEYS)} keys on LMDB. Batches: a topic that holds them all. Latency: ${whole(RATE)} events a second, from the call that sends one until a read of its key counts it; the floor, until a bare consumer in the same process has it. The log in a topic: appends of rows of ten floats, each acknowledged by the broker, beside the same appends on this disk.`;

export async function kafkaSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const title = 'Events from Kafka';
  const program = findKafka();
  if (program === undefined) {
    console.warn(`SKIPPED: ${title}: ${WITHOUT_KAFKA}`);
    return { title, about: `${about} Not measured: ${WITHOUT_KAFKA}.`, figures: [] };
  }
  const kafka = await startKafka(program);
  try {
    return {
      title,
      about,
      figures: [
        await measureBatches(kafka, isQuick ? 100_000 : 1_000_000),
        await measureLatency(kafka, isQuick ? 3 : 20),
        ...(await measureKafkaLog(kafka, isQuick ? 2 : 5, isQuick ? 1 : 3)),
      ],
    };
  } finally {
    await kafka.stop();
  }
}

async function measureBatches(kafka: KafkaServer, events: number): Promise<Figure> {
  const topic = await kafka.newTopic(PARTITIONS);
  for (let at = 0; at < events; at += 20_000) {
    const some = Math.min(20_000, events - at);
    await kafka.send(
      topic,
      Array.from({ length: some }, (_, i) => ({
        value: eventOf(`u${(at + i) % KEYS}`),
        partition: (at + i) % PARTITIONS,
      })),
    );
  }
  const bare = await openKafkaStream({ address: parseBrokers(kafka.broker, 'BROKERS'), topic, group: 'bare' });
  const floor = events / (await readAll(bare, events));
  await bare.close();
  const project = await createProject(topic);
  const app = await openApp({ environment: project.environment(kafka.broker), logger: silentLogger });
  const consumer = await openConsumer(app, 'events', {}, (open) => open());
  const signal = new AbortController().signal;
  // Until partitions are ours: what a group takes to form is no part of it.
  while (consumer.parts.stream.assigned() === undefined) await sleep(10);
  const before = performance.now();
  const { pushed } = await consume({ ...consumer.parts, isUntilCaughtUp: true, patienceMs: 60_000, signal });
  const rate = pushed / ((performance.now() - before) / 1000);
  await consumer.close();
  await app.close();
  project.remove();
  return {
    name: `${whole(events)} events in batches`,
    value: `${whole(rate)} events/s`,
    floor: `bare consumer: ${whole(floor)} events/s`,
    ratio: (rate / floor).toFixed(3),
    mustBe: `≥ ${whole(LEAST_EVENTS)} events/s`,
    isReached: rate >= LEAST_EVENTS && pushed === events,
  };
}

async function measureLatency(kafka: KafkaServer, seconds: number): Promise<Figure> {
  const topic = await kafka.newTopic(PARTITIONS);
  const project = await createProject(topic);
  const environment = project.environment(kafka.broker);
  const child = spawn(process.execPath, [MAIN, 'consume', 'events'], {
    cwd: project.directory,
    env: { ...environment.variables, npm_lifecycle_event: '' },
    stdio: 'ignore',
  });
  const gone = new Promise((done) => child.once('close', done));
  const app = await openApp({ environment, logger: silentLogger });
  const bare = await openKafkaStream({ address: parseBrokers(kafka.broker, 'BROKERS'), topic, group: 'bare' });
  try {
    const probes = await createProbes(app);
    // Until the first is seen both are at work.
    await kafka.send(topic, [{ value: eventOf('probe'), partition: 0 }]);
    while ((await probes.count()) < 1) await sleep(POLL_MS);
    const sent: number[] = [];
    const received: number[] = [];
    const seen: number[] = [];
    const ticks = Math.floor((seconds * 1000) / TICK_MS);
    let isDone = false;
    const receiving = (async () => {
      const places = new Map<number, number>(Array.from({ length: PARTITIONS }, (_, p) => [p, 0]));
      while (!isDone) {
        for (const part of await bare.fetch(places)) {
          places.set(part.partition, part.next);
          const now = performance.now();
          for (const { value } of part.messages)
            if (value !== null && Buffer.from(value).includes('"probe"')) received.push(now);
        }
      }
    })();
    const reading = (async () => {
      while (seen.length < ticks && !isDone) {
        const count = (await probes.count()) - 1;
        while (seen.length < count) seen.push(performance.now());
        await sleep(POLL_MS);
      }
    })();
    const sending: Promise<void>[] = [];
    const start = performance.now();
    for (let tick = 0; tick < ticks; tick++) {
      await sleep(Math.max(0, start + tick * TICK_MS - performance.now()));
      sent.push(performance.now());
      const rest = Array.from({ length: (RATE * TICK_MS) / 1000 - 1 }, (_, i) => ({
        value: eventOf(`u${(tick * 50 + i) % KEYS}`),
        partition: i % PARTITIONS,
      }));
      sending.push(kafka.send(topic, [{ value: eventOf('probe'), partition: tick % PARTITIONS }, ...rest]));
    }
    await Promise.all(sending);
    const took = (performance.now() - start) / 1000;
    await Promise.race([reading, sleep(30_000, undefined, { ref: false })]);
    isDone = true;
    await receiving;
    const p99 = (times: readonly number[]): number => {
      // Of each probe by its number: they count up, whichever came first.
      const waits = times.map((at, i) => at - (sent[i] ?? at)).toSorted((a, b) => a - b);
      return waits[Math.ceil(waits.length * 0.99) - 1] ?? NaN;
    };
    const [own, floor] = [p99(seen), p99(received.slice(1))];
    return {
      name: `until seen, p99 at ${whole((ticks * RATE * TICK_MS) / 1000 / took)} events/s`,
      value: `${own.toFixed(0)} ms`,
      floor: `bare consumer: ${floor.toFixed(0)} ms`,
      ratio: (own / floor).toFixed(2),
      mustBe: `≤ ${MOST_MS} ms at ${whole(RATE)} events/s`,
      isReached: own <= MOST_MS && seen.length === ticks && took <= seconds * 1.05,
    };
  } finally {
    child.kill('SIGTERM');
    await gone;
    await bare.close();
    await app.close();
    project.remove();
  }
}

function eventOf(user: string): string {
  return `{"user":"${user}","amount":${user.length},"at":"${new Date().toISOString()}"}`;
}

/** Seconds until all messages came. */
async function readAll(stream: MessageStream, events: number): Promise<number> {
  const places = new Map<number, number>(Array.from({ length: PARTITIONS }, (_, partition) => [partition, 0]));
  const before = performance.now();
  for (let got = 0; got < events; ) {
    for (const part of await stream.fetch(places)) {
      places.set(part.partition, part.next);
      got += part.messages.length;
    }
  }
  return (performance.now() - before) / 1000;
}

async function createProject(topic: string) {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-kafka-'));
  mkdirSync(join(directory, 'feature_repo'));
  writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'bench_kafka' };\n`);
  writeFileSync(join(directory, 'feature_repo', 'bench.ts'), repository(topic));
  const environment = (broker: string) => ({
    ...readEnvironment({ ...process.env, BENCH_BROKERS: broker }),
    workingDirectory: directory,
  });
  const app = await openApp({ environment: environment(''), logger: silentLogger });
  await applyRepository(app, {});
  await app.close();
  return { directory, environment, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

function repository(topic: string): string {
  return `import { count, entity, featureService, featureView, kafka, mean, sum, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const events = kafka('events', {
  brokers: 'env:BENCH_BROKERS', topic: '${topic}', format: 'json',
  columns: { user: t.string(), amount: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});
export const spent = featureView('spent', {
  entity: user, source: events,
  features: { events_1h: count().over('1h'), sum_1d: sum('amount').over('1d'), mean_7d: mean('amount').over('7d') },
});
export const all = featureService('all', [spent]);
`;
}

/** How often the probe's key was counted, as a server would read it. */
async function createProbes(app: Awaited<ReturnType<typeof openApp>>): Promise<{ count(): Promise<number> }> {
  const { manifest } = await app.applied();
  const reader = createFeatureReader(
    manifest,
    resolveService(manifest, 'all'),
    await app.online(),
    await app.directory(),
  );
  const key = encodeKey([{ kind: 'string' }], ['probe']);
  return {
    async count() {
      const [row] = await reader.read([[key]], app.clock.nowMicros());
      return Number(row?.[0]?.values[0] ?? 0);
    },
  };
}

if (import.meta.main) console.log(JSON.stringify(await kafkaSection({ isQuick: true }), null, 2));
