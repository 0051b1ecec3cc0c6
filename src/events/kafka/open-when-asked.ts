// The Kafka client is loaded by those alone whose log lies in a topic.

import type { BrokerAddress } from '../../storage/index.ts';
import type { EventLog } from '../event-log.ts';
import type { KafkaLogOptions } from './open-kafka-log.ts';

export type KafkaEventLogOptions = KafkaLogOptions;

/** Throws as `openEventLog` does; no broker is asked before the log is used. */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { openTopicLog } = await import('./open-kafka-log.ts');
  return openTopicLog(options);
}

const LOOK_MS = 3000;

/** How many partitions the log's topic has; undefined where it is not made yet. Throws HR_CONFIG, HR_STORAGE_UNAVAILABLE. */
export async function lookAtLogTopic(address: BrokerAddress, topic: string): Promise<number | undefined> {
  const [{ openBrokerLink }, { lookAtTopic }, { createRetrying }] = await Promise.all([
    import('./broker-link.ts'),
    import('./log-topic.ts'),
    import('./retrying.ts'),
  ]);
  const link = openBrokerLink(address, topic);
  try {
    return (await lookAtTopic({ address, link, retrying: createRetrying(link, LOOK_MS) }))?.leaders.length;
  } finally {
    await link.close();
  }
}
