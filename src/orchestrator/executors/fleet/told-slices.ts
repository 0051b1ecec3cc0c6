// What a worker has yet to write of its slices: events numbered in their order, and which slices are over.

import type { Slice, TaskEvent } from '../executor.ts';
import type { WrittenTurn } from './worker-rows.ts';

export interface ToldSlices {
  /** Tasks that have not ended, of slices that are not cancelled. */
  readonly openTasks: number;
  readonly size: number;
  readonly hasNews: boolean;
  has(slice: string): boolean;
  begin(slice: Slice): void;
  hear(events: readonly TaskEvent[]): void;
  cancelled(slice: string): void;
  /** To be written, as often as it takes, until `written` says that it was. */
  news(): Pick<WrittenTurn, 'told' | 'ended' | 'cancelled'>;
  written(): void;
}

interface Own {
  left: number;
  number: number;
  isOver: boolean;
}

export function createToldSlices(): ToldSlices {
  const slices = new Map<string, Own>();
  let heard: TaskEvent[] = [];
  let cancelled: string[] = [];
  /** What is being written: the same rows however often it is tried. */
  let writing: Pick<WrittenTurn, 'told' | 'ended' | 'cancelled'> | undefined;

  const gather = (): Pick<WrittenTurn, 'told' | 'ended' | 'cancelled'> => {
    const events = Map.groupBy(heard, ({ slice }) => slice);
    heard = [];
    const ended: string[] = [];
    const told = [...events].flatMap(([slice, all]) => {
      const own = slices.get(slice);
      if (own === undefined) return [];
      const ends = all.filter(({ kind }) => kind !== 'started');
      const over = new Set(ends.map(({ index, attempt }) => `${index}:${attempt}`));
      // A start is worth telling of what goes on alone.
      const shown = all.filter(({ kind, index, attempt }) => kind !== 'started' || !over.has(`${index}:${attempt}`));
      own.left -= ends.length;
      own.number += 1;
      if (own.left === 0) {
        own.isOver = true;
        ended.push(slice);
      }
      return [{ slice, number: own.number, events: shown }];
    });
    const stopped = cancelled.filter((slice) => slices.get(slice)?.isOver === false);
    cancelled = [];
    return { told, ended, cancelled: stopped };
  };

  return {
    get openTasks() {
      return [...slices.values()].reduce((sum, { left }) => sum + left, 0);
    },
    get size() {
      return slices.size;
    },
    get hasNews() {
      return writing !== undefined || heard.length > 0 || cancelled.length > 0;
    },
    has: (slice) => slices.has(slice),
    begin({ id, tasks }) {
      slices.set(id, { left: tasks.length, number: 0, isOver: false });
    },
    hear(events) {
      heard.push(...events);
    },
    cancelled(slice) {
      cancelled.push(slice);
    },
    news() {
      writing ??= gather();
      return writing;
    },
    written() {
      for (const slice of [...(writing?.ended ?? []), ...(writing?.cancelled ?? [])]) slices.delete(slice);
      writing = undefined;
    },
  };
}
