// Counts of pushes by source, and what they leave waiting in this process.

/** `accepted`: new; `repeated`: answered from the first result; `refused`: the caller's mistake; `failed`: ours. */
export type PushOutcome = 'accepted' | 'repeated' | 'refused' | 'failed';

export interface PushCounts {
  readonly pushes: Readonly<Record<PushOutcome, number>>;
  /** Rows of accepted pushes. */
  readonly rows: number;
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
  bySource(): Readonly<Record<string, PushCounts>>;
}

export function createPushTally(): PushTally {
  const sources = new Map<string, { pushes: Record<PushOutcome, number>; rows: number }>();
  return {
    count(source, outcome, rows) {
      let counts = sources.get(source);
      if (counts === undefined) {
        sources.set(source, (counts = { pushes: { accepted: 0, repeated: 0, refused: 0, failed: 0 }, rows: 0 }));
      }
      counts.pushes[outcome]++;
      if (outcome === 'accepted') counts.rows += rows;
    },
    bySource: () => Object.fromEntries(sources),
  };
}

/** The sum over processes. */
export function sumPushes(all: readonly Readonly<Record<string, PushCounts>>[]): Map<string, PushCounts> {
  const sum = new Map<string, PushCounts>();
  for (const [source, counts] of all.flatMap((one) => Object.entries(one))) {
    const before = sum.get(source);
    const add = (outcome: PushOutcome): number => (before?.pushes[outcome] ?? 0) + counts.pushes[outcome];
    sum.set(source, {
      pushes: {
        accepted: add('accepted'),
        repeated: add('repeated'),
        refused: add('refused'),
        failed: add('failed'),
      },
      rows: (before?.rows ?? 0) + counts.rows,
    });
  }
  return sum;
}

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
