// Counts of pushes by source, and what they leave waiting in one process.

import type { BrokenRule } from '../../checks/index.ts';

/** `accepted`: new; `repeated`: answered from the first result; `refused`: the caller's mistake; `failed`: ours. */
export type PushOutcome = 'accepted' | 'repeated' | 'refused' | 'failed';

export interface PushCounts {
  readonly pushes: Readonly<Record<PushOutcome, number>>;
  /** Rows of accepted pushes. */
  readonly rows: number;
  /** Rows that broke a rule of `expect`; left out for none. */
  readonly broken?: readonly BrokenRule[];
}

/** What waits right now in one process. */
export interface PushBacklog {
  /** Pushes that are logged and not answered yet. */
  readonly pending: number;
  /** Bytes of parts held in memory until their cut is sealed. */
  readonly partBytes: number;
  /** 1 while the online store, or the artifact store, does not take what waits. */
  readonly storeAway: number;
  readonly shippingAway: number;
}

export const NO_BACKLOG: PushBacklog = { pending: 0, partBytes: 0, storeAway: 0, shippingAway: 0 };

export interface PushTally {
  count(source: string, outcome: PushOutcome, rows: number): void;
  countBroken(source: string, broken: readonly BrokenRule[]): void;
  /** What was counted since the last time, by source. */
  take(): (readonly [string, PushCounts])[];
}

const none = (): Record<PushOutcome, number> => ({ accepted: 0, repeated: 0, refused: 0, failed: 0 });

export function createPushTally(): PushTally {
  let sources = new Map<
    string,
    { pushes: Record<PushOutcome, number>; rows: number; broken?: readonly BrokenRule[] }
  >();
  const of = (source: string) => {
    let counts = sources.get(source);
    if (counts === undefined) sources.set(source, (counts = { pushes: none(), rows: 0 }));
    return counts;
  };
  return {
    countBroken(source, broken) {
      const counts = of(source);
      counts.broken = addBroken(counts.broken, broken);
    },
    count(source, outcome, rows) {
      const counts = of(source);
      counts.pushes[outcome]++;
      if (outcome === 'accepted') counts.rows += rows;
    },
    take() {
      const taken = [...sources];
      sources = new Map();
      return taken;
    },
  };
}

function addBroken(before: readonly BrokenRule[] = [], added: readonly BrokenRule[]): readonly BrokenRule[] {
  const sums = new Map(before.map((one) => [`${one.onFail} ${one.rule}`, one]));
  for (const one of added) {
    const id = `${one.onFail} ${one.rule}`;
    sums.set(id, { ...one, rows: one.rows + (sums.get(id)?.rows ?? 0) });
  }
  return [...sums.values()];
}

export function addPushes(into: Map<string, PushCounts>, added: readonly (readonly [string, PushCounts])[]): void {
  for (const [source, { pushes, rows, broken }] of added) {
    const before = into.get(source) ?? { pushes: none(), rows: 0 };
    const sum = none();
    for (const outcome of Object.keys(sum) as PushOutcome[]) sum[outcome] = before.pushes[outcome] + pushes[outcome];
    const all = addBroken(before.broken, broken ?? []);
    into.set(source, { pushes: sum, rows: before.rows + rows, ...(all.length > 0 && { broken: all }) });
  }
}

/** The sum over processes. */
export function sumBacklogs(all: readonly PushBacklog[]): PushBacklog {
  return all.reduce(
    (sum, one) => ({
      pending: sum.pending + one.pending,
      partBytes: sum.partBytes + one.partBytes,
      storeAway: Math.max(sum.storeAway, one.storeAway),
      shippingAway: Math.max(sum.shippingAway, one.shippingAway),
    }),
    NO_BACKLOG,
  );
}
