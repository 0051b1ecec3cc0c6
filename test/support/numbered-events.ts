// Events of which each has a record of its own, so that a read tells how often one event is counted; every third is
// pushed with a key.

import { formatTimestamp, type Micros } from '../../src/core/index.ts';
import type { LogTopic } from './log-places.ts';

export interface ForeverPlaces {
  readonly registry: string;
  readonly objects: string;
  readonly online: string;
  /** The machine's folder of logs. */
  readonly log: string;
  /** Where the logs lie, if not there. */
  readonly topic?: LogTopic | undefined;
  readonly mode: 'push' | 'settle';
  /** Number of the first event. */
  readonly first: number;
}

export const recordOf = (number: number): string => `event ${number}`;

export function numberedEvent(number: number, at: Micros) {
  return { k: recordOf(number), happened: formatTimestamp(at), n: number };
}

export function numberedKey(number: number): string | undefined {
  return number % 3 === 0 ? `key ${number}` : undefined;
}
