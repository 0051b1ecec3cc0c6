// Who hears an executor's events: those that came while nobody listened are told to the first that does.

import type { TaskEvent, Unwatch } from './executor.ts';

export interface Listeners {
  tell(events: readonly TaskEvent[]): void;
  add(listen: (events: readonly TaskEvent[]) => void): Unwatch;
}

export function createListeners(): Listeners {
  const all = new Set<(events: readonly TaskEvent[]) => void>();
  const unheard: TaskEvent[] = [];
  return {
    tell(events) {
      if (all.size === 0) unheard.push(...events);
      for (const listen of all) listen(events);
    },
    add(listen) {
      all.add(listen);
      const before = unheard.splice(0);
      if (before.length > 0) listen(before);
      return () => all.delete(listen);
    },
  };
}
