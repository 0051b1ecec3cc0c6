// Who is dead: a holder whose beat this process saw unchanged for as long as a lease, by its own clock that only goes
// forward. Clocks of two machines are never compared.

/** A holder as the registry has it. */
export interface HolderRow {
  readonly writer: number;
  readonly holder: number;
  /** Changes whenever the holder reports that it lives. */
  readonly beat: number;
  /** `left`: the holder let go of the log. */
  readonly state: 'held' | 'left' | 'done';
}

/** How long a holder may report nothing before it counts as dead. */
export const LEASE_MS = 10_000;

export interface HolderWatch {
  /** Of the rows as they are now, those whose holders let go or are dead. */
  dead<Row extends HolderRow>(rows: readonly Row[]): readonly Row[];
  /** Whether it was first seen like this at the last look. */
  isNew(row: Pick<HolderRow, 'writer'>): boolean;
  /** The registry was away: what was seen before says nothing. */
  forgetAll(): void;
}

interface Seen {
  readonly holder: number;
  readonly beat: number;
  readonly sinceMs: number;
  looks: number;
}

export function watchHolders(leaseMs: number, nowMs: () => number = () => performance.now()): HolderWatch {
  let seen = new Map<number, Seen>();
  return {
    dead(rows) {
      const now = nowMs();
      seen = new Map(
        rows.map(({ writer, holder, beat }) => {
          const before = seen.get(writer);
          const isSame = before !== undefined && before.holder === holder && before.beat === beat;
          const since = isSame ? before : { holder, beat, sinceMs: now, looks: 0 };
          return [writer, { ...since, looks: since.looks + 1 }];
        }),
      );
      return rows.filter(({ writer, state }) => {
        const since = seen.get(writer)?.sinceMs ?? now;
        return state === 'left' || now - since >= leaseMs;
      });
    },
    isNew: ({ writer }) => (seen.get(writer)?.looks ?? 0) <= 1,
    forgetAll: () => seen.clear(),
  };
}
