// The event log as it is set: on this machine's disk, or in a Kafka topic.

import { type Clock, HeadraceError, type Logger } from '../core/index.ts';
import type { EventLog } from '../events/index.ts';
import type { BrokerAddress, Database, ObjectStore } from '../storage/index.ts';
import type { Environment } from './environment.ts';
import { NO_TOPIC } from './settings/data-settings.ts';
import type { SettingValues } from './settings.ts';

export interface OpenLogOptions {
  readonly values: SettingValues;
  readonly variables: Environment['variables'];
  readonly database: Database;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Throws HR_CONFIG, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE. */
export async function openLog({ values, variables, ...deps }: OpenLogOptions): Promise<EventLog> {
  const { openEventLog, openKafkaEventLog } = await import('../events/index.ts');
  const options = { ...deps, path: values['pushLog.path'] };
  const topic = values['pushLog.topic'];
  if (topic === NO_TOPIC) return openEventLog(options);
  const brokers = await logBrokers(values, variables);
  return openKafkaEventLog({ ...options, topic, brokers, partitions: values['pushLog.partitions'] });
}

/** Of a log that lies in a topic. Throws HR_CONFIG. */
export async function logBrokers(values: SettingValues, variables: Environment['variables']): Promise<BrokerAddress> {
  const { parseBrokers } = await import('../storage/index.ts');
  // It was checked to be there, in this form.
  const name = (values['pushLog.brokers'] ?? '').slice('env:'.length);
  const text = variables[name];
  if (text !== undefined && text !== '') return parseBrokers(text, name);
  throw new HeadraceError(
    'HR_CONFIG',
    `pushLog.brokers reads the brokers from the environment variable ${name}, which is not set.`,
  );
}
