export type {
  CutContents,
  CutRecord,
  CutView,
  EntryPlace,
  EventLog,
  IdempotencyKey,
  LogEntry,
  LogWriter,
  NewEntry,
  PushedRow,
  WriterRow,
} from './event-log.ts';
export { type EventLogOptions, openEventLog } from './segments/open-event-log.ts';
