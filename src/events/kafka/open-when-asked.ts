// The Kafka client is loaded by those alone whose log lies in a topic.

import type { EventLog } from '../event-log.ts';
import type { KafkaLogOptions } from './open-kafka-log.ts';

export type KafkaEventLogOptions = KafkaLogOptions;

/** Throws as `openEventLog` does; no broker is asked before the log is used. */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { openTopicLog } = await import('./open-kafka-log.ts');
  return openTopicLog(options);
}
