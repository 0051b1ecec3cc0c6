// Processes that push, killed at any moment: the next one settles their logs, and every acknowledged event counts once,
// a retried key too. One that is only stopped is not settled.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR, type Micros } from '../../src/core/index.ts';
import { createViewCodec } from '../../src/online/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import type { LogTopic } from '../support/log-places.ts';
import { type ForeverPlaces, numberedEvent, numberedKey, recordOf } from '../support/numbered-events.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { skipBecause } from '../support/skips.ts';

const SCRIPT = fileURLToPath(new URL('../support/push-forever.ts', import.meta.url));
const definitions = eventDefinitions();
const { manifest } = definitions;
const source = manifest.sources['events'] as (typeof manifest.sources)[string];

/** A process of its own, and what it said so far. */
interface Child {
  readonly process: ChildProcess;
  readonly sent: Map<number, Micros>;
  readonly acknowledged: Set<number>;
  readonly said: string[];
  kill(signal?: NodeJS.Signals): Promise<void>;
}

const program = findKafka();
if (program === undefined) skipBecause(`pushes with their log in a topic: ${WITHOUT_KAFKA}`);
const kinds = onlineStoreKinds();
const places = [
  ...kinds.map((kind) => ({ ...kind, logs: 'on disk' })),
  ...(program === undefined ? [] : kinds.slice(0, 1)).map((kind) => ({ ...kind, logs: 'in a topic' })),
];

describe.each(places)('on $name, with its logs $logs', (kind) => {
  const isInTopic = kind.logs === 'in a topic';
  let kafka: KafkaServer | undefined;
  let topics = 0;
  let topic: LogTopic | undefined;
  let world: IngestionWorld;
  let children: Child[] = [];
  beforeAll(async () => {
    if (isInTopic && program !== undefined) kafka = await startKafka(program);
  }, 90_000);
  afterAll(() => kafka?.stop());
  beforeEach(async () => {
    if (kafka !== undefined) topic = { broker: kafka.broker, name: `log-${++topics}`, partitions: 16, leaseMs: 1500 };
    world = await openIngestionWorld(kind, topic);
    world.clock.now = Date.now() * 1000 + MICROS_PER_HOUR;
  });
  afterEach(async () => {
    for (const child of children) await child.kill();
    children = [];
    await world.close();
  });

  const start = (mode: ForeverPlaces['mode'], first: number, machine = 'a'): Child => {
    const places: ForeverPlaces = { ...world.places, log: world.logPath(machine), topic, mode, first };
    const process = spawn(globalThis.process.execPath, [SCRIPT, JSON.stringify(places)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(process, 'exit');
    const child: Child = {
      process,
      sent: new Map(),
      acknowledged: new Set(),
      said: [],
      async kill(signal = 'SIGKILL') {
        process.kill(signal);
        await exited;
      },
    };
    const lines = createInterface({ input: process.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      const [word, number, at] = line.split(' ');
      child.said.push(line);
      if (word === 'sent') child.sent.set(Number(number), Number(at));
      if (word === 'acknowledged') child.acknowledged.add(Number(number));
    });
    children.push(child);
    return child;
  };
  const hasSaid = (child: Child, count: number) =>
    expect.poll(() => child.said.length, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(count);

  /** How often each event is counted online. */
  const online = async (numbers: readonly number[]): Promise<number[]> => {
    const index = manifest.views['v']?.features.findIndex(({ name }) => name === 'rows') as number;
    const reads = await world.read(manifest, numbers.map(recordOf));
    return reads.map(({ values }) => Number(values[index]));
  };
  /** How often each event lies in what every machine can read of the logs. */
  const logged = async ({ log }: PushProcess): Promise<Map<number, number>> => {
    const counts = new Map<number, number>();
    for (const { number: writer } of await log.writers()) {
      for await (const entry of log.read(writer, 1, Infinity)) {
        for (const { row } of entry.rows(source)) {
          const n = Number(row['n']);
          counts.set(n, (counts.get(n) ?? 0) + 1);
        }
      }
    }
    return counts;
  };

  it('what writers acknowledged before they were killed counts once, and a retried key too', async () => {
    const sent = new Map<number, Micros>();
    const acknowledged = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const both = [start('push', 100_000 * round), start('push', 100_000 * round + 50_000)];
      for (const child of both) await hasSaid(child, 3 + 40 * round);
      await sleep((round * 7) % 20);
      await Promise.all(both.map((child) => child.kill()));
      for (const child of both) {
        for (const [number, at] of child.sent) sent.set(number, at);
        for (const number of child.acknowledged) acknowledged.add(number);
      }
      // Seen from the moment of the answer, before anyone settles.
      const seen = [...acknowledged];
      expect((await online(seen)).every((count) => count === 1)).toBe(true);
      if (round % 2 === 0) {
        // A settler that is killed on its way: the next settles again.
        const settler = start('settle', 0);
        await hasSaid(settler, 1);
        await sleep(round * 15);
        await settler.kill();
      }
    }
    const next = await world.open({ definitions: () => definitions });
    expect(await next.ingestion.settle()).toBeGreaterThan(0);
    const numbers = [...sent.keys()];
    // Whoever got no answer repeats its key, as does one that did.
    for (const number of numbers) {
      const key = numberedKey(number);
      const at = sent.get(number) as Micros;
      if (key === undefined) continue;
      const result = await next.ingestion.push('events', [numberedEvent(number, at)], key);
      if (acknowledged.has(number)) expect(result.duplicate).toBe(true);
    }
    await next.close();
    const reader = await world.open({ definitions: () => definitions });
    const [counts, inLogs] = [await online(numbers), await logged(reader)];
    numbers.forEach((number, i) => {
      const online = counts[i];
      const wanted = acknowledged.has(number) || numberedKey(number) !== undefined ? 1 : Math.min(online ?? 0, 1);
      expect({ number, online, inLogs: inLogs.get(number) ?? 0 }).toEqual({ number, online: wanted, inLogs: wanted });
    });
    // What follows pushes sees each row once, too.
    const rows = [...inLogs.values()].reduce((sum, count) => sum + count, 0);
    expect(await world.pushed.rows('events')).toBe(rows);
    expect(acknowledged.size).toBeGreaterThan(50);
    expect((await reader.log.writers()).filter(({ state }) => state !== 'ended')).toEqual([]);
  }, 240_000);

  // In a topic it is taken over after a while, and the broker refuses it: test/integration/event-log-kafka.test.ts.
  it.skipIf(isInTopic)(
    'a writer that is stopped is not settled, and goes on when it is woken',
    async () => {
      // Opened first: what is stopped may hold LMDB's write lock.
      const next = await world.open({ definitions: () => definitions });
      const child = start('push', 0);
      await hasSaid(child, 20);
      child.process.kill('SIGSTOP');
      expect(await next.ingestion.settle()).toBe(0);
      expect((await next.log.writers()).map(({ holder, state }) => [holder, state])).toEqual([[1, 'open']]);
      const before = child.acknowledged.size;
      child.process.kill('SIGCONT');
      await expect.poll(() => child.acknowledged.size, { timeout: 5000 }).toBeGreaterThan(before + 10);
      await child.kill();
      expect(await next.ingestion.settle()).toBe(1);
      const numbers = [...child.acknowledged];
      expect((await online(numbers)).every((count) => count === 1)).toBe(true);
    },
    30_000,
  );

  it('a keyed entry whose claim never counted is void, and a later retry counts', async () => {
    world.clock.now = NOW;
    const dead = await world.open({ definitions: () => definitions });
    await dead.ingestion.push('events', [numberedEvent(1, NOW)]);
    await dead.drop();
    // As if killed between the log and the claim: the entry is there, the claim is not.
    const [adopted] = await (await world.open({ definitions: () => definitions })).log.adopt();
    const key = { key: 'key 3', hash: 'of other rows' };
    await adopted?.append({ source, rows: [{ row: { k: recordOf(3), happened: NOW, n: 3n }, knownMicros: NOW }], key });
    await adopted?.close();
    const settler = await world.open({ definitions: () => definitions });
    expect(await settler.ingestion.settle()).toBe(1);
    expect(await online([1, 3])).toEqual([1, 0]);
    expect(await settler.ingestion.push('events', [numberedEvent(3, NOW)], 'key 3')).toMatchObject({
      duplicate: false,
    });
    expect(await online([1, 3])).toEqual([1, 1]);
    expect(await logged(settler)).toEqual(new Map([[1, 1]]));
  });

  it('a settled log is held until a mark of every node covers it, and then removed', async () => {
    world.clock.now = NOW;
    const dead = await world.open({ definitions: () => definitions });
    await dead.ingestion.push('events', [numberedEvent(1, NOW)]);
    await dead.drop();
    const settler = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
    await settler.ingestion.look();
    expect(settler.ingestion.status().settled).toEqual([1]);
    const other = await world.open({ definitions: () => definitions });
    expect(await other.ingestion.settle()).toBe(0);
    // The settler dies too: the next one settles again.
    await settler.drop();
    expect(await other.ingestion.settle()).toBe(1);
    expect(await online([1])).toEqual([1]);
    const { version } = createViewCodec(manifest, 'v');
    const { number } = await world.ask(manifest);
    await world.runs.open(number, {
      boundary: -Infinity,
      coverage: { floor: 2, cuts: new Map() },
      isFull: true,
      since: 0,
    });
    const run = await world.store.run({ version, run: number, lifetimeMs: () => undefined, isOpen: async () => true });
    for (const node of run.nodes) {
      await run.begin(node);
      await run.mark(node);
    }
    await run.close();
    const last = await world.open({ definitions: () => definitions, settleEveryMs: 0 });
    await other.close();
    await last.ingestion.look();
    expect(last.ingestion.status().settled).toEqual([]);
    expect(await last.log.adopt()).toEqual([]);
  });
});
