// A worker's side of the channel to its primary: what it tells, and the totals that it asks for.

import { within } from '../core/index.ts';
import type { ToldTotals, TotalsChannel } from '../monitoring/index.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

/** This process' channel to the one that started it. */
type Parent = Pick<NodeJS.Process, 'connected' | 'send' | 'on' | 'once'>;

export function tell(message: FromWorker, parent: Pick<Parent, 'connected' | 'send'> = process): void {
  if (parent.connected) parent.send?.(message);
}

/** Far more than the primary gathers, for a machine that has much else to do; less than the ten seconds that Prometheus waits. */
const ASK_LIMIT_MS = 5000;

/** The way to the totals, which are the primary’s. */
export function primaryChannel(parent: Parent = process): TotalsChannel {
  const waiting = new Map<number, (totals: ToldTotals | undefined) => void>();
  let lastAsk = 0;
  parent.on('message', (message: ToWorker) => {
    if (message.kind === 'totals') waiting.get(message.ask)?.(message.totals);
  });
  // Nobody answers those any more.
  parent.once('disconnect', () => {
    for (const resolve of waiting.values()) resolve(undefined);
  });
  return {
    send: (report) => tell({ kind: 'report', report }, parent),
    ask({ gathers }) {
      if (!parent.connected) return Promise.resolve(undefined);
      const ask = ++lastAsk;
      const answered = new Promise<ToldTotals | undefined>((resolve) => waiting.set(ask, resolve));
      tell({ kind: 'ask', ask, gathers }, parent);
      return within(answered, ASK_LIMIT_MS).finally(() => waiting.delete(ask));
    },
  };
}

/** Resolves once what was sent has left this process. */
export function allTold(): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || process.send === undefined) return resolve();
    process.send({ kind: 'collected', gathering: 0 } satisfies FromWorker, () => resolve());
  });
}
