// A consumer that is killed at each step, on each store, and begun again: each message counts once, and no dead letter is lost.
// twin: test/integration/crash-steps.test.ts > of consuming a stream

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatTimestamp } from '../../src/core/index.ts';
import { readDeadLetters } from '../support/dead-letters.ts';
import type { ConsumePlaces } from '../support/consume-once.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type Fault, faultsAt } from '../support/fault-points.ts';
import { type IngestionWorld, openIngestionWorld } from '../support/ingestion-world.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, type SentMessage, startKafka } from '../support/kafka-server.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { skipBecause } from '../support/skips.ts';

const CONSUME_ONCE = fileURLToPath(new URL('../support/consume-once.ts', import.meta.url));
const program = findKafka();
if (program === undefined) skipBecause(`headrace consume, killed: ${WITHOUT_KAFKA}`);

const { manifest } = eventDefinitions();
/** So that windows hold them, by the clock of now. */
const happened = formatTimestamp(Date.now() * 1000 - 60_000_000);
const message = (n: number): SentMessage => ({ value: JSON.stringify({ k: 'a', happened, n }), partition: n % 3 });
const poison = (n: number): SentMessage => ({ value: `no row ${n}`, partition: n % 3 });
const sumTo = (end: number): bigint => (BigInt(end) * BigInt(end - 1)) / 2n;
const TOTAL = 90;

/** What is of the store, on every store; the rest is the same whatever it is. */
const OF_STORES = ['after store.claim 1', 'before store.putParts 1', 'after log.seal 1'] as const;
const OTHERS = [
  'before log.append 1',
  'during log.append 1',
  'after log.append 1',
  'after store.finish 2',
  'before feeds.advance 1',
  'before feeds.note 1',
  'before stream.commit 1',
  'before letters.put 1',
  'after letters.put 1',
] as const;

const [lmdb, ...others] = onlineStoreKinds();
const sweeps = [
  ...[...OF_STORES, ...OTHERS].map((step) => ({ kind: lmdb as NonNullable<typeof lmdb>, step })),
  ...others.flatMap((kind) => OF_STORES.map((step) => ({ kind, step }))),
];

describe.skipIf(program === undefined)('a consumer that is killed, and begun again', { timeout: 120_000 }, () => {
  let kafka: KafkaServer;
  let world: IngestionWorld;
  let groups = 0;
  beforeAll(async () => {
    if (program !== undefined) kafka = await startKafka(program);
  }, 90_000);
  afterAll(() => kafka.stop());
  afterEach(() => world.close());

  const letters = (): string => join(world.places.objects, '..', 'dead', 'letters.jsonl');
  const lettersOf = () => readDeadLetters(letters());
  const counted = async () => {
    world.clock.now = Date.now() * 1000;
    const { rows, sum_n } = await world.valuesOf(manifest, 'a');
    return { rows, sum_n };
  };
  const run = (
    topic: string,
    faults: readonly Fault[],
  ): Promise<{ readonly code: number | null; readonly out: string }> => {
    const places: ConsumePlaces = {
      ...world.places,
      log: world.logPath('killed'),
      broker: kafka.broker,
      topic,
      group: `g${++groups}`,
      deadLetters: letters(),
      faults,
    };
    mkdirSync(places.log, { recursive: true });
    mkdirSync(dirname(places.deadLetters), { recursive: true });
    const child = spawn(process.execPath, ['--conditions=headrace-source', CONSUME_ONCE, JSON.stringify(places)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    return new Promise((done) => child.once('close', (code) => done({ code, out })));
  };

  it.each(sweeps)('$kind.name: $step', async ({ kind, step }) => {
    world = await openIngestionWorld(kind);
    const topic = await kafka.newTopic(3);
    await kafka.send(
      topic,
      Array.from({ length: TOTAL }, (_, n) => message(n)).flatMap((one, n) =>
        n % 10 === 0 ? [poison(n), one] : [one],
      ),
    );
    const killed = await run(topic, faultsAt('SIGKILL', step));
    expect(killed.out).toMatch(/^fault /m);
    // The dead one may have come far.
    const again = await run(topic, []);
    expect(again.code).toBe(0);
    expect(await counted()).toEqual({ rows: BigInt(TOTAL), sum_n: sumTo(TOTAL) });
    const places = new Set(lettersOf().map(({ partition, offset }) => JSON.stringify([partition, offset])));
    expect(places.size).toBe(TOTAL / 10);
  });
});
