// The primary's side of the figures: it counts what workers report and tells the totals to who asks, after the others have
// reported what they have, or have had time to.

import type { Clock } from '../core/index.ts';
import { createTotals, type Totals } from '../monitoring/index.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

/** The end of a channel to one worker. */
export interface WorkerEnd {
  readonly id: number;
  send(message: ToWorker): void;
}

export interface TotalsOwner {
  readonly totals: Totals;
  /** From now on others wait for what it has counted when they ask. */
  joined(worker: WorkerEnd): void;
  received(worker: WorkerEnd, message: FromWorker): void;
  /** Its channel has ended: all that it ever sent was received. */
  left(worker: WorkerEnd): void;
}

/** Less than a worker waits for the totals. */
const GATHER_LIMIT_MS = 300;

interface Gathering {
  readonly waitsFor: Set<number>;
  finish(): void;
}

export function createTotalsOwner(clock: Clock): TotalsOwner {
  const totals = createTotals(clock);
  const serving = new Map<number, WorkerEnd>();
  const open = new Map<number, Gathering>();
  let lastGathering = 0;

  const gather = (asker: WorkerEnd, finish: () => void): void => {
    const others = [...serving.values()].filter(({ id }) => id !== asker.id);
    if (others.length === 0) return finish();
    const gathering = ++lastGathering;
    // What has arrived by now is read before: a process that had no turn for so long finds the time over first.
    const timer = setTimeout(() => setImmediate(() => open.get(gathering)?.finish()), GATHER_LIMIT_MS);
    open.set(gathering, {
      waitsFor: new Set(others.map(({ id }) => id)),
      finish() {
        clearTimeout(timer);
        open.delete(gathering);
        finish();
      },
    });
    for (const worker of others) worker.send({ kind: 'collect', gathering });
  };
  const arrived = (gathering: Gathering, id: number): void => {
    if (gathering.waitsFor.delete(id) && gathering.waitsFor.size === 0) gathering.finish();
  };

  return {
    totals,
    joined: (worker) => void serving.set(worker.id, worker),
    received(worker, message) {
      const key = String(worker.id);
      if (message.kind === 'report') totals.count(key, message.report);
      else if (message.kind === 'collected') {
        const gathering = open.get(message.gathering);
        if (gathering !== undefined) arrived(gathering, worker.id);
      } else if (message.kind === 'ask') {
        const { ask } = message;
        const tell = (): void => worker.send({ kind: 'totals', ask, totals: totals.tell(key) });
        if (message.gathers) gather(worker, tell);
        else tell();
      }
    },
    left({ id }) {
      serving.delete(id);
      totals.leave(String(id));
      for (const gathering of open.values()) arrived(gathering, id);
    },
  };
}
