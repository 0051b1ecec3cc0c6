export type {
  CutContents,
  CutRecord,
  CutView,
  EntryPlace,
  EventLog,
  IdempotencyKey,
  LogEntry,
  LogWriter,
  SeenWriter,
  NewEntry,
  PushedRow,
  WriterRow,
} from './event-log.ts';
export { compileConversion } from './convert-rows.ts';
export { migrateEventLog } from './tables/schema.ts';
export { type EventLogOptions, openEventLog } from './segments/open-event-log.ts';
export { readCopied } from './segments/copied-log.ts';
export { eventRows } from './segments/moved-log.ts';
export { shippedCuts } from './tables/writer-table.ts';
export { type KafkaEventLogOptions, lookAtLogTopic, openKafkaEventLog } from './kafka/open-when-asked.ts';
export { partitionRows, topicsWithEvents } from './kafka/moved-partitions.ts';
