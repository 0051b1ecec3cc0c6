// The topics that logs lie in: the one that new writers go to, and those that earlier ones went to. A link for each, made when
// it is first needed.

import { HeadraceError } from '../../core/index.ts';
import type { BrokerAddress } from '../../storage/index.ts';
import type { WriterTable } from '../tables/writer-table.ts';
import { type BrokerLink, openBrokerLink } from './broker-link.ts';
import { readKey } from './log-message.ts';
import { findTopic, type LogTopic } from './log-topic.ts';
import type { PartitionRow } from './partition-table.ts';
import { endOfPartition, type PartitionReads, readPartition, SpanGone } from './read-partition.ts';
import { createRetrying } from './retrying.ts';

export interface Topics {
  /** The topic for new writers, made where it is missing. Throws HR_CONFIG, HR_STORAGE_UNAVAILABLE. */
  ours(topic: string, partitions: number): Promise<LogTopic>;
  /** The topic of a log that is there, which must be the very same. Throws HR_LOG_DAMAGED, HR_CONFIG, HR_STORAGE_UNAVAILABLE. */
  known(place: PartitionRow): Promise<LogTopic>;
  /** Throws HR_CONFIG where another registry's writers use the partition. */
  checkOurs(place: PartitionRow, writers: WriterTable): Promise<void>;
  reads(topic: string): PartitionReads;
  close(): Promise<void>;
}

interface Opened extends PartitionReads {
  readonly link: BrokerLink;
}

export function openTopics(address: BrokerAddress, patienceMs: number): Topics {
  const opened = new Map<string, Opened>();
  const found = new Map<string, LogTopic>();

  const reads = (topic: string): Opened => {
    let one = opened.get(topic);
    if (one === undefined) {
      const link = openBrokerLink(address, topic);
      one = { link, retrying: createRetrying(link, patienceMs) };
      opened.set(topic, one);
    }
    return one;
  };
  const find = async (topic: string, partitions: number | undefined): Promise<LogTopic> => {
    const { link, retrying } = reads(topic);
    return findTopic({ address, link, retrying, partitions });
  };

  return {
    async ours(topic, partitions) {
      const now = await find(topic, partitions);
      found.set(topic, now);
      return now;
    },
    async known({ writer, topic, topicId, partition }) {
      let now = found.get(topic);
      if (now?.id !== topicId) {
        now = await find(topic, undefined);
        found.set(topic, now);
      }
      if (now.id === topicId) return now;
      throw new HeadraceError(
        'HR_LOG_DAMAGED',
        `the event log of writer ${writer} is gone: topic "${topic}" is another than it was (partition ${partition} of ${topicId}, now ${now.id}); it was deleted and made anew. Give up what the writer shipped: headrace log forget ${writer} --through CUT`,
      );
    },
    async checkOurs({ topic, partition }, writers) {
      const own = reads(topic);
      const end = await endOfPartition(own, partition);
      if (end === 0) return;
      try {
        for await (const batch of readPartition(own, partition, { from: end - 1, to: end })) {
          const owner = readKey(batch.at(-1)?.key ?? null);
          if (owner === undefined) continue;
          const known = (await writers.all()).some(
            ({ number, token }) => number === owner.writer && token === owner.token,
          );
          if (known) continue;
          throw new HeadraceError(
            'HR_CONFIG',
            `pushLog.topic: topic "${topic}" holds the event log of another registry (partition ${partition}, writer ${owner.writer}-${owner.token}). Give each its own topic.`,
          );
        }
      } catch (error) {
        // Retention took the last message.
        if (!(error instanceof SpanGone)) throw error;
      }
    },
    reads,
    async close() {
      await Promise.all([...opened.values()].map(({ link }) => link.close()));
    },
  };
}
