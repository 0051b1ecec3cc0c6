// Where the event log of a test lies: on disk, or in a topic of a real Kafka. Plain data, so that a process of its own can be
// told.

import {
  type EventLog,
  type EventLogOptions,
  type KafkaEventLogOptions,
  openEventLog,
  openKafkaEventLog,
} from '../../src/events/index.ts';
import { parseBrokers } from '../../src/storage/index.ts';

export interface LogTopic {
  readonly broker: string;
  readonly name: string;
  readonly partitions: number;
  readonly leaseMs: number;
}

/** A machine is one with a folder of its own. */
export function openLogAt(
  topic: LogTopic | undefined,
  options: EventLogOptions & Partial<KafkaEventLogOptions>,
): Promise<EventLog> {
  if (topic === undefined) return openEventLog(options);
  const { broker, name, partitions, leaseMs } = topic;
  const brokers = parseBrokers(broker, 'BROKERS');
  return openKafkaEventLog({ machine: options.path, topic: name, brokers, partitions, leaseMs, ...options });
}
