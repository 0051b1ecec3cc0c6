// Events on their way to the driver, some milliseconds' worth in one message.

import type { Attempt } from '../../step/run-script.ts';
import type { TaskOutcome } from '../../step/outcome.ts';
import type { TaskEvent } from '../executor.ts';

export interface EventBuffer {
  started(at: Attempt): void;
  ended(at: Attempt, outcome: TaskOutcome): void;
  flush(): void;
}

const WAIT_MS = 5;
const MOST = 1000;

export function createEventBuffer(send: (events: readonly TaskEvent[]) => void): EventBuffer {
  let waiting: TaskEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const events = waiting;
    waiting = [];
    if (events.length > 0) send(events);
  };
  const add = (event: TaskEvent): void => {
    waiting.push(event);
    if (waiting.length >= MOST) flush();
    else timer ??= setTimeout(flush, WAIT_MS);
  };
  return {
    started: ({ slice, index, attempt }) => add({ slice, index, attempt, kind: 'started' }),
    // Of a task that was cancelled nothing is told.
    ended: ({ slice, index, attempt }, outcome) =>
      outcome.kind !== 'stopped' && add({ slice, index, attempt, ...outcome }),
    flush,
  };
}
