// A Kafka topic as a message stream. Two clients: one is the group's member, the other fetches, so that a fetch that waits
// for messages never keeps a heartbeat waiting.

import { Consumer, ListOffsetTimestamps } from '@platformatic/kafka';
import { HeadraceError } from '../../core/index.ts';
import type { MessageStream, PartitionBounds } from '../message-stream.ts';
import { createGroupMember } from './group-member.ts';
import { kafkaError, type KafkaPlace } from './kafka-errors.ts';
import { type BrokerAddress, clientOptions } from '../../storage/index.ts';
import { answerIn, placeless, readParts } from './read-parts.ts';

export interface KafkaStreamOptions {
  readonly address: BrokerAddress;
  readonly topic: string;
  readonly group: string;
  /** When a member that says nothing counts as gone. */
  readonly sessionTimeoutMs?: number;
}

/** How long a fetch waits where there is nothing. */
const FETCH_WAIT_MS = 250;
const FETCH_BYTES = 8 << 20;
const PART_BYTES = 2 << 20;
const SESSION_TIMEOUT_MS = 10_000;
/** Only committed: what a transaction wrote that was given up is no message. */
const READ_COMMITTED = 1;

/** Throws what `MessageStream` does. */
export async function openKafkaStream(options: KafkaStreamOptions): Promise<MessageStream> {
  const { address, topic, group, sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
  const place: KafkaPlace = { brokers: address.brokers, topic };
  const client = (): Consumer =>
    new Consumer({
      ...clientOptions(address),
      groupId: group,
      autocommit: false,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs, 10_000),
      heartbeatInterval: Math.floor(sessionTimeoutMs / 4),
    });
  const fetcher = client();
  fetcher.topics.track(topic);
  const told = <T>(work: Promise<T>): Promise<T> =>
    work.catch((thrown: unknown) => {
      throw kafkaError(thrown, place);
    });
  const metadata = async () => {
    const found = await told(fetcher.metadata({ topics: [topic] }));
    const own = found.topics.get(topic);
    if (own === undefined)
      throw new HeadraceError('HR_STREAM_TOPIC', `the brokers at ${place.brokers.join(',')} have no topic "${topic}"`);
    return own;
  };
  const offsets = async (
    partitions: readonly number[],
    timestamp: bigint,
  ): Promise<readonly (bigint | undefined)[]> => {
    const wanted = {
      topics: [topic],
      partitions: { [topic]: [...partitions] },
      timestamp,
      isolationLevel: READ_COMMITTED,
    };
    return (await told(fetcher.listOffsets(wanted))).get(topic) ?? [];
  };

  let topicId: string;
  try {
    topicId = (await metadata()).id;
  } catch (error) {
    await fetcher.close().catch(() => {});
    throw error;
  }
  const member = createGroupMember(client(), topic, async () => (await metadata()).partitions.length, place);
  return {
    topicId,
    assigned: () => member.assigned(),
    reassigned: (known) => member.reassigned(known),
    async fetch(from) {
      const { id, partitions } = await metadata();
      if (id !== topicId)
        throw new HeadraceError(
          'HR_STREAM_TOPIC',
          `topic "${topic}" was deleted and made anew while it was read: begin again`,
        );
      const byNode = new Map<number, number[]>();
      for (const partition of from.keys()) {
        const leader = partitions[partition]?.leader ?? -1;
        byNode.set(leader, [...(byNode.get(leader) ?? []), partition]);
      }
      const fetchFrom = async (node: number, own: readonly number[]) => {
        const asked = own.map((partition) => ({
          partition,
          fetchOffset: BigInt(from.get(partition) ?? 0),
          partitionMaxBytes: PART_BYTES,
          currentLeaderEpoch: -1,
          lastFetchedEpoch: -1,
        }));
        const response = await fetcher
          .fetch({
            node,
            topics: [{ topicId, partitions: asked }],
            maxWaitTime: FETCH_WAIT_MS,
            minBytes: 1,
            maxBytes: FETCH_BYTES,
            isolationLevel: READ_COMMITTED,
          })
          .catch((thrown: unknown) => {
            fetcher.clearMetadata();
            const answer = answerIn(thrown);
            if (answer === undefined) throw kafkaError(thrown, place);
            const [partition] = placeless(answer);
            if (partition !== undefined) throw withoutPlace(topic, partition, from.get(partition) ?? 0);
            // A leader that moved, say. What the others have is taken, and the rest asked for again.
            if (readParts(answer, from).length === 0) throw kafkaError(thrown, place);
            return answer;
          });
        return readParts(response, from);
      };
      const parts = await Promise.all([...byNode].map(([node, own]) => fetchFrom(node, own)));
      return parts.flat();
    },
    async bounds(partitions) {
      if (partitions.length === 0) return new Map();
      const [starts, ends] = await Promise.all([
        offsets(partitions, ListOffsetTimestamps.EARLIEST),
        offsets(partitions, ListOffsetTimestamps.LATEST),
      ]);
      return new Map(
        partitions.map((partition): [number, PartitionBounds] => [
          partition,
          { start: Number(starts[partition] ?? 0n), end: Number(ends[partition] ?? 0n) },
        ]),
      );
    },
    commit: (places) => member.commit(places),
    async close() {
      await member.close();
      await fetcher.close().catch(() => {});
    },
  };
}

function withoutPlace(topic: string, partition: number, offset: number): HeadraceError {
  return new HeadraceError(
    'HR_STREAM_GAP',
    `topic "${topic}" has no offset ${offset} in partition ${partition}: what comes next was deleted, or the topic was cut back. Begin again: that says where to go on`,
  );
}
