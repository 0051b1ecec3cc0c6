// What the artifact store has of many steps' tasks, one task after the other in the order in which it came there: then a run's rows
// do not tell in how many parts they were made.

import { createDueTasks } from '../engine/due-tasks.ts';
import type { Row } from '../engine/run-in-hand.ts';
import type { TaskRecords } from './task-records.ts';

export interface TimeOrder<Read> {
  /** Looks at those of these rows that it does not have yet, for their tasks in hand. */
  add(rows: readonly Row[]): Promise<void>;
  /** The next, as it was read; undefined at the end. */
  next(): Promise<{ readonly row: Row; readonly read: Read | undefined } | undefined>;
}

interface Listed<Read> {
  readonly row: Row;
  readonly known: readonly { readonly index: number; readonly found: TaskRecords }[];
  /** The next of `known`. */
  at: number;
  /** Reads from `at` on that were begun. */
  readonly begun: Promise<Read | undefined>[];
}

/** Of one step; what is read ahead is held in memory. */
const AHEAD = 32;

export function createTimeOrder<Read>({
  list,
  read,
}: {
  readonly list: (row: Row) => Promise<ReadonlyMap<number, TaskRecords>>;
  readonly read: (row: Row, index: number, found: TaskRecords) => Promise<Read | undefined>;
}): TimeOrder<Read> {
  /** By number: those that have more. */
  const all = new Map<number, Listed<Read>>();
  let count = 0;
  const has = new WeakSet<Row>();
  /** By the number in `all`. */
  const heads = createDueTasks();

  const listOne = async (row: Row): Promise<Listed<Read>> => {
    const records = await list(row);
    const known = [...row.tasks.keys()]
      .flatMap((index) => {
        const found = records.get(index);
        return found === undefined ? [] : [{ index, found }];
      })
      .sort((a, b) => a.found.newest - b.found.newest || a.index - b.index);
    return { row, known, at: 0, begun: [] };
  };

  const readAhead = ({ row, known, at, begun }: Listed<Read>): void => {
    for (const { index, found } of known.slice(at + begun.length, at + AHEAD)) {
      const reading = read(row, index, found);
      reading.catch(() => {}); // thrown to whoever comes to it
      begun.push(reading);
    }
  };

  return {
    async add(rows) {
      const fresh = rows.filter((row) => !has.has(row));
      for (const row of fresh) has.add(row);
      for (const listed of await Promise.all(fresh.map(listOne))) {
        const [first] = listed.known;
        if (first === undefined) continue;
        count += 1;
        all.set(count, listed);
        heads.add(count, first.found.newest);
        readAhead(listed);
      }
    },
    async next() {
      const place = heads.take(Infinity);
      const listed = place === undefined ? undefined : all.get(place);
      if (place === undefined || listed === undefined) return undefined;
      const reading = await listed.begun.shift();
      listed.at += 1;
      const following = listed.known[listed.at];
      if (following !== undefined) {
        heads.add(place, following.found.newest);
        if (listed.begun.length < AHEAD / 2) readAhead(listed);
      } else all.delete(place);
      return { row: listed.row, read: reading };
    },
  };
}
