// A topic in memory, for what is shown of its readers without a broker: passes test/contract/message-stream.test.ts as
// Kafka's does.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError } from '../../src/core/index.ts';
import type { FetchedPart, MessageStream, StreamMessage } from '../../src/streams/index.ts';
import type { SentMessage } from './kafka-server.ts';

export type MemoryTopic = ReturnType<typeof createMemoryTopic>;

/** Of one partition in one fetch. */
const FETCHED = 1000;
/** How long a fetch waits for a message. */
const WAIT_MS = 20;

const bytesOf = (value: Buffer | string | null | undefined): Uint8Array | null =>
  value === null || value === undefined ? null : Buffer.from(value);

interface Member {
  /** The same list for as long as it is so. */
  assigned: readonly number[];
}

export function createMemoryTopic(partitions = 1, topicId = 'memory') {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const logs: StreamMessage[][] = all.map(() => []);
  const starts: number[] = all.map(() => 0);
  const groups = new Map<string, Member[]>();
  const places = new Map<string, Map<number, number>>();
  const membersOf = (group: string): Member[] => {
    const members = groups.get(group) ?? [];
    groups.set(group, members);
    return members;
  };
  const share = (members: readonly Member[]): void =>
    members.forEach((member, at) => {
      member.assigned = all.filter((partition) => partition % members.length === at);
    });
  const boundsOf = (partition: number) => ({ start: starts[partition] ?? 0, end: logs[partition]?.length ?? 0 });
  let refused = 0;
  const away = (): never => {
    refused++;
    throw new HeadraceError('HR_STREAM_UNAVAILABLE', 'the topic is away');
  };
  const topic = {
    /** While it is away every call fails. */
    isAway: false,
    /** Calls that failed since it was away. */
    get refused(): number {
      return refused;
    },
    send(messages: readonly SentMessage[]): void {
      for (const { key, value, partition = 0, headers = {}, timestamp = 0n } of messages) {
        const log = logs[partition] as StreamMessage[];
        log.push({
          offset: log.length,
          key: bytesOf(key),
          value: bytesOf(value),
          headers: Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]),
          timestampMs: Number(timestamp),
        });
      }
    },
    /** Deletes what lies before an offset. */
    deleteRecords(partition: number, before: number): void {
      starts[partition] = before;
    },
    /** How far a group said that it is. */
    committed: (group: string): ReadonlyMap<number, number> => places.get(group) ?? new Map(),
    /** A member of a group. */
    open(group = 'g'): MessageStream {
      const members = membersOf(group);
      const own: Member = { assigned: [] };
      members.push(own);
      share(members);
      const fetchNow = (from: ReadonlyMap<number, number>): FetchedPart[] =>
        [...from].flatMap(([partition, at]) => {
          const { start, end } = boundsOf(partition);
          if (at < start || at > end)
            throw new HeadraceError('HR_STREAM_GAP', `there is no offset ${at} in partition ${partition}`);
          const messages = (logs[partition] ?? []).slice(at, at + FETCHED);
          return messages.length === 0 ? [] : [{ partition, start, end, messages, next: at + messages.length }];
        });
      return {
        topicId,
        assigned: () => own.assigned,
        async reassigned(known) {
          while (own.assigned === known || (known !== undefined && String(own.assigned) === String(known)))
            await delay(WAIT_MS);
          return own.assigned;
        },
        async fetch(from) {
          if (topic.isAway) away();
          const found = fetchNow(from);
          if (found.length > 0) return found;
          await delay(WAIT_MS);
          return topic.isAway ? away() : fetchNow(from);
        },
        async bounds(wanted) {
          if (topic.isAway) away();
          return new Map(wanted.map((partition) => [partition, boundsOf(partition)]));
        },
        async commit(to) {
          const told = places.get(group) ?? new Map<number, number>();
          for (const [partition, at] of to) told.set(partition, at);
          places.set(group, told);
        },
        async close() {
          const at = members.indexOf(own);
          if (at >= 0) members.splice(at, 1);
          share(members);
        },
      };
    },
  };
  return topic;
}
