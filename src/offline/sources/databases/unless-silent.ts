// Work of a database that is waited for as long as it says something.

import { DatabaseTrouble } from './database-trouble.ts';

export interface Listening {
  /** Calls `heard` whenever something comes from the database; gives what ends that. */
  readonly listen: (heard: () => void) => () => void;
  /** Gives the connection up. */
  readonly giveUp: () => void;
}

/** Throws DatabaseTrouble `silent` when nothing is heard for so long; the connection is given up then. */
export async function unlessSilent<T>(
  limitMs: number,
  { listen, giveUp }: Listening,
  work: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let deaf: (() => void) | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new DatabaseTrouble('silent', `it said nothing for ${limitMs / 1000} s`));
      giveUp();
    }, limitMs);
    deaf = listen(() => timer?.refresh());
  });
  try {
    return await Promise.race([work(), silence]);
  } finally {
    clearTimeout(timer);
    deaf?.();
  }
}
