// Whose jobs are dead: an owner's beats are a number that grows, and whoever watches measures by its own steady clock for how long
// it did not. So neither clocks of two machines are compared, nor pids of two containers.

import type { LiveJob } from './job-table.ts';

export interface JobWatch {
  /** Those of the live ones, as just read, whose owner has been silent for too long. */
  dead(live: readonly LiveJob[], nowMs: number): readonly LiveJob[];
}

/** `owner` watches: its own it knows. */
export function createJobWatch(owner: string, deadMs: number): JobWatch {
  let seen = new Map<string, { readonly beats: number; readonly sinceMs: number }>();
  return {
    dead(live, nowMs) {
      const others = live.filter((job) => job.owner !== owner);
      const now = new Map(
        others.map(({ id, beats }) => {
          const before = seen.get(id);
          return [id, before?.beats === beats ? before : { beats, sinceMs: nowMs }];
        }),
      );
      seen = now;
      return others.filter(({ id }) => nowMs - (now.get(id)?.sinceMs ?? nowMs) >= deadMs);
    },
  };
}
