// Membership in a consumer group: which partitions are ours. It joins again by itself, however often the brokers are away.

import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer } from '@platformatic/kafka';
import { kafkaError, type KafkaPlace } from './kafka-errors.ts';

export interface GroupMember {
  assigned(): readonly number[] | undefined;
  /** Resolves once they are others than `known`; throws why the last try to join failed. */
  reassigned(known: readonly number[] | undefined): Promise<readonly number[]>;
  commit(places: ReadonlyMap<number, number>): Promise<void>;
  close(): Promise<void>;
}

const REJOIN_MS = 1000;
/** Partitions are added to a topic now and then; the group is told by whoever sees it. */
const COUNT_EVERY_MS = 30_000;
const LEAVE_LIMIT_MS = 3000;

export function createGroupMember(
  consumer: Consumer,
  topic: string,
  countPartitions: () => Promise<number>,
  place: KafkaPlace,
): GroupMember {
  let current: readonly number[] | undefined;
  let waiting: { readonly done: (partitions: readonly number[]) => void; readonly failed: (error: Error) => void }[] =
    [];
  let joining: Promise<void> | undefined;
  let isClosed = false;
  let count: number | undefined;

  const settle = (): void => {
    const all = waiting;
    waiting = [];
    for (const { done } of all) done(current ?? []);
  };
  const fail = (thrown: unknown): void => {
    const all = waiting;
    waiting = [];
    for (const { failed } of all) failed(kafkaError(thrown, place));
  };
  const join = (): Promise<void> => {
    joining ??= (async () => {
      while (!isClosed) {
        try {
          await consumer.joinGroup({});
          return;
        } catch (error) {
          fail(error);
          consumer.clearMetadata();
          await delay(REJOIN_MS, undefined, { ref: false });
        }
      }
    })().finally(() => (joining = undefined));
    return joining;
  };

  consumer.topics.track(topic);
  consumer.on('consumer:group:join', () => {
    const assignment = consumer.assignments?.find((one) => one.topic === topic);
    current = [...(assignment?.partitions ?? [])].sort((a, b) => a - b);
    settle();
  });
  // The client gives up after a rejoin that failed: it says nothing to the group any more.
  consumer.on('error' as never, (() => void join()) as never);
  void join();

  const counting = setInterval(() => {
    void countPartitions().then(
      (now) => {
        const isOther = count !== undefined && now !== count;
        count = now;
        if (isOther) void join();
      },
      () => {},
    );
  }, COUNT_EVERY_MS).unref();

  return {
    assigned: () => current,
    reassigned(known) {
      if (current !== undefined && !isSame(current, known)) return Promise.resolve(current);
      return new Promise((done, failed) => waiting.push({ done, failed }));
    },
    async commit(places) {
      if (places.size === 0 || current === undefined || isClosed) return;
      const offsets = [...places].map(([partition, next]) => ({
        topic,
        partition,
        offset: BigInt(next),
        leaderEpoch: -1,
      }));
      // Fenced by the group's generation, and for people only: whoever reads on asks elsewhere where to.
      await consumer.commit({ offsets }).catch(() => {});
    },
    async close() {
      isClosed = true;
      clearInterval(counting);
      settle();
      const left = consumer.close(true).catch(() => {});
      await Promise.race([left, delay(LEAVE_LIMIT_MS, undefined, { ref: false })]);
    },
  };
}

function isSame(one: readonly number[], other: readonly number[] | undefined): boolean {
  return other !== undefined && one.length === other.length && one.every((partition, at) => partition === other[at]);
}
