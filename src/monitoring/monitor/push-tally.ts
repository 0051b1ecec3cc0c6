// Counts of pushes by source, and what they leave waiting in one process.

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
  /** What was counted since the last time, by source. */
  take(): (readonly [string, PushCounts])[];
}

const none = (): Record<PushOutcome, number> => ({ accepted: 0, repeated: 0, refused: 0, failed: 0 });

export function createPushTally(): PushTally {
  let sources = new Map<string, { pushes: Record<PushOutcome, number>; rows: number }>();
  return {
    count(source, outcome, rows) {
      let counts = sources.get(source);
      if (counts === undefined) sources.set(source, (counts = { pushes: none(), rows: 0 }));
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

export function addPushes(into: Map<string, PushCounts>, added: readonly (readonly [string, PushCounts])[]): void {
  for (const [source, { pushes, rows }] of added) {
    const before = into.get(source) ?? { pushes: none(), rows: 0 };
    const sum = none();
    for (const outcome of Object.keys(sum) as PushOutcome[]) sum[outcome] = before.pushes[outcome] + pushes[outcome];
    into.set(source, { pushes: sum, rows: before.rows + rows });
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
