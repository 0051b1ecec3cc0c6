// Topics of a real Kafka consumed: through a broker that dies and comes back, a group whose members
// come and go, and a consumer that is killed.
// twin: test/integration/consume.test.ts > goes on once a topic that was away is back
// twin: test/integration/consume.test.ts > counts each message once while members of a group come and go
// twin: test/integration/crash-steps.test.ts > of consuming a stream

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseBrokers } from '../../src/storage/index.ts';
import { openKafkaStream } from '../../src/streams/index.ts';
import { createRandom } from '../support/chance.ts';
import type { ConsumePlaces } from '../support/consume-once.ts';
import {
  countTo,
  type Member,
  message,
  messages,
  openConsumeWorld,
  type OpenStream,
} from '../support/consume-world.ts';
import { type Fault, faultsAt } from '../support/fault-points.ts';
import { findKafka, WITHOUT_KAFKA } from '../support/kafka-program.ts';
import { type KafkaServer, startKafka } from '../support/kafka-server.ts';
import { type OnlineStoreKind, onlineStoreKinds } from '../support/online-stores.ts';
import { skipBecause } from '../support/skips.ts';

const CONSUME_ONCE = fileURLToPath(new URL('../support/consume-once.ts', import.meta.url));
const program = findKafka();
if (program === undefined) skipBecause(`headrace consume: ${WITHOUT_KAFKA}`);

describe.skipIf(program === undefined)('consume of a real Kafka', () => {
  let kafka: KafkaServer;
  let own: Awaited<ReturnType<typeof openConsumeWorld>>;
  beforeAll(async () => {
    if (program !== undefined) kafka = await startKafka(program);
  });
  afterAll(() => kafka?.stop());
  beforeEach(async () => {
    own = await openConsumeWorld(onlineStoreKinds()[0] as OnlineStoreKind);
  });
  afterEach(() => own.close());
  const open =
    (topic: string): OpenStream =>
    (group) =>
      openKafkaStream({ address: parseBrokers(kafka.broker, 'K'), topic, group, sessionTimeoutMs: 2000 });
  const comesTo = (end: number) =>
    expect.poll(() => own.counted(), { timeout: 120_000, interval: 300 }).toEqual(countTo(end));

  it('goes on through a broker that dies and comes back, and one that answers nothing for a while', async () => {
    const topic = await kafka.newTopic(2);
    const member = await own.start(open(topic), { patienceMs: 120_000 });
    await kafka.send(topic, messages(0, 40, 2));
    await comesTo(40);
    await kafka.kill();
    // Longer than the group keeps a member that is silent.
    await sleep(2500);
    await kafka.start();
    await kafka.send(topic, messages(40, 80, 2));
    await comesTo(80);
    kafka.pause();
    await sleep(4000);
    kafka.resume();
    await kafka.send(topic, messages(80, 100, 2));
    await comesTo(100);
    member.stop.abort();
    expect(await member.done).toMatchObject({ pushed: 100 });
  });

  it('counts each message once while members of a group come and go', async () => {
    const topic = await kafka.newTopic(6);
    const draw = createRandom(7);
    const members: Member[] = [];
    const join = async (machine: string): Promise<void> => {
      members.push(await own.start(open(topic), { machine, group: 'shared', patienceMs: 120_000 }));
    };
    await join('a');
    const sent: Promise<void>[] = [];
    for (let round = 0; round < 6; round++) {
      sent.push(
        kafka.send(
          topic,
          Array.from({ length: 500 }, (_, i) => message(500 * round + i, draw.below(6))),
        ),
      );
      // At any moment of joining, fetching and pushing.
      await sleep(draw.below(500));
      if (round === 0) await join('b');
      else if (round === 1) await join('c');
      else if (round % 2 === 0) await own.leave(members.shift() as Member);
      else await join(['a', 'b', 'c'][draw.below(3)] as string);
    }
    await Promise.all(sent);
    await comesTo(3000);
    for (const member of members) await own.leave(member);
    expect(await own.caughtUp(open(topic), { machine: 'd' })).toMatchObject({ pushed: 0 });
    expect(await own.counted()).toEqual(countTo(3000));
  });

  it.each(['during log.append 1', 'after store.claim 1', 'before feeds.note 1'])(
    'counts each message once where the consumer is killed %s',
    async (step) => {
      const topic = await kafka.newTopic(3);
      const poison = Array.from({ length: 9 }, (_, n) => ({ value: `no row ${n}`, partition: n % 3 }));
      await kafka.send(topic, [...messages(0, 45, 3), ...poison, ...messages(45, 90, 3)]);
      const run = (faults: readonly Fault[]) => {
        const places: ConsumePlaces = {
          ...own.world.places,
          log: own.world.logPath('killed'),
          broker: kafka.broker,
          topic,
          group: `killed-${faults.length}`,
          deadLetters: own.letters,
          faults,
        };
        mkdirSync(places.log, { recursive: true });
        mkdirSync(dirname(places.deadLetters), { recursive: true });
        return spawnSync(process.execPath, ['--conditions=headrace-source', CONSUME_ONCE, JSON.stringify(places)], {
          encoding: 'utf8',
        });
      };
      const killed = run(faultsAt('SIGKILL', step));
      expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: expect.stringMatching(/^fault /m) });
      expect(run([])).toMatchObject({ status: 0 });
      expect(await own.counted()).toEqual(countTo(90));
      const places = new Set(own.lettersOf().map(({ partition, offset }) => JSON.stringify([partition, offset])));
      expect(places.size).toBe(9);
    },
  );
});
