// Sales pushed to any of several servers, and a ledger of what became of each: those with a key are sent again, anywhere,
// until they are acknowledged; the others once. So at every moment at least the acknowledged ones count and at most those
// that were sent, and in the end every one with a key, once.

import { setTimeout as sleep } from 'node:timers/promises';
import { HeadraceError } from '../../src/core/index.ts';
import type { Sale, SalesProject, ShopCounts, SourceName } from './sales-project.ts';
import { saleRow, SHOPS, SOURCES } from './sales-project.ts';

interface Entry extends Sale {
  readonly source: SourceName;
  readonly key: string | undefined;
  /** Of the pushes: unanswered ones may count or not. */
  state: 'sent' | 'acknowledged';
  /** Lies in a file that no run may have read yet. */
  isFiled: boolean;
}

type Total = Record<'count' | 'sum', number>;

export type Traffic = ReturnType<typeof startTraffic>;

export interface TrafficOptions {
  /** Where servers answer now. */
  readonly servers: () => readonly string[];
  readonly pushers?: number;
  readonly pauseMs?: number;
  /** Length of a sale's name, for a store that is to grow. */
  readonly nameLength?: number;
  /** Of a push, after which it is sent again elsewhere. */
  readonly timeoutMs?: number;
}

/** How long a wrong count is given before it is looked at again. */
const LATER_MS = 3000;
const SLOW_RETRY_MS = 3000;

export function startTraffic(
  sales: SalesProject,
  { servers, pushers = 6, pauseMs = 20, nameLength = 0, timeoutMs = 2500 }: TrafficOptions,
) {
  const entries: Entry[] = [];
  const failures = new Map<string, number>();
  let last = 0;
  let pushes = 0;
  let files = 0;
  let filed = 0;
  let isStopped = false;
  let mistake: unknown;

  const newSale = (source: SourceName, key: string | undefined): Entry => {
    // Rising: what a nightly file lacks happened after all that it holds.
    last = Math.max(last + 1, Date.now() * 1000);
    const number = entries.length;
    const shop = SHOPS[Math.floor(Math.random() * SHOPS.length)] as string;
    const sale = { sale: `s${number}`.padEnd(nameLength, '.'), shop, amount: number + 1, at: last };
    const entry: Entry = { ...sale, source, key, state: 'sent', isFiled: false };
    entries.push(entry);
    return entry;
  };

  /** Whether it was acknowledged. */
  const push = async (
    url: string,
    source: SourceName,
    batch: readonly Entry[],
    key: string | undefined,
  ): Promise<boolean> => {
    const failed = (what: string): false => {
      failures.set(what, (failures.get(what) ?? 0) + 1);
      return false;
    };
    const response = await fetch(`${url}/v1/sources/${source}/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: JSON.stringify({ rows: batch.map(saleRow) }),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch(() => undefined);
    const body = await response?.text().catch(() => undefined);
    if (response === undefined || body === undefined) return failed('no answer');
    if (response.status >= 500) return failed(String((JSON.parse(body) as { code?: string }).code));
    const answer = JSON.parse(body) as { accepted?: number };
    if (response.status !== 200 || answer.accepted !== batch.length) {
      throw new Error(`a push of ${batch.length} was answered ${response.status} ${body}`);
    }
    return true;
  };

  const anyServer = async (): Promise<string> => {
    for (;;) {
      const urls = servers();
      const url = urls[Math.floor(Math.random() * urls.length)];
      if (url !== undefined) return url;
      await sleep(20);
    }
  };

  const pushOnce = async (): Promise<void> => {
    const url = await anyServer();
    const number = pushes++;
    const source = SOURCES[number % SOURCES.length] as SourceName;
    const key = Math.random() < 0.6 ? `key ${number}` : undefined;
    const batch = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => newSale(source, key));
    let isAcknowledged = await push(url, source, batch, key);
    while (!isAcknowledged && key !== undefined) {
      // At once, or only when whoever died with it may be settled.
      await sleep(Math.random() < 0.5 ? 30 : Math.random() * SLOW_RETRY_MS);
      isAcknowledged = await push(await anyServer(), source, batch, key);
    }
    if (isAcknowledged) for (const entry of batch) entry.state = 'acknowledged';
  };

  const loop = async (): Promise<void> => {
    while (!isStopped && mistake === undefined) {
      await pushOnce().catch((error: unknown) => (mistake ??= error));
      await sleep(pauseMs);
    }
  };
  const loops = Promise.all(Array.from({ length: pushers }, loop));

  const totals = (source: SourceName, counts: (entry: Entry) => boolean): ReadonlyMap<string, Total> => {
    const found = new Map(SHOPS.map((shop) => [shop, { count: 0, sum: 0 }]));
    for (const entry of entries) {
      const total = found.get(entry.shop);
      if (total === undefined || entry.source !== source || !counts(entry)) continue;
      total.count++;
      total.sum += entry.amount;
    }
    return found;
  };

  const check = async (mustCount: (entry: Entry) => boolean): Promise<void> => {
    if (mistake !== undefined) throw mistake;
    for (const source of SOURCES) {
      const least = totals(source, mustCount);
      const counted = await sales.shops(source);
      const most = totals(source, () => true);
      for (const [shop, { count, sum }] of counted) {
        const [low, high] = [least.get(shop), most.get(shop)] as [Total, Total];
        if (count >= low.count && count <= high.count && sum >= low.sum && sum <= high.sum) continue;
        const bounds = `at least ${low.count} (${low.sum}), at most ${high.count} (${high.sum})`;
        // Whether it is lost, or was not there yet.
        await sleep(LATER_MS);
        const later = (await sales.shops(source)).get(shop);
        const then = `${LATER_MS / 1000} s later it counts ${later?.count} (sum ${later?.sum})`;
        throw new Error(`${source}/${shop} counts ${count} (sum ${sum}), and should ${bounds}; ${then}`);
      }
    }
  };

  return {
    /** Sales of a source in files; of `nightly` all those so far, as a file of the night holds them. */
    async file(source: SourceName): Promise<void> {
      const name = String(++files).padStart(4, '0');
      if (source === 'kept') {
        const some = Array.from({ length: 5 }, () => newSale(source, undefined));
        for (const entry of some) entry.isFiled = true;
        await sales.file(source, name, some);
        return;
      }
      const night = entries.slice(filed).filter((entry) => entry.source === source);
      filed = entries.length;
      for (const entry of night) entry.isFiled = true;
      await sales.file(source, name, night);
    },
    /** Throws where a shop counts fewer than were acknowledged before, or more than were sent by now. */
    checkNow: (): Promise<void> => check(({ state }) => state === 'acknowledged'),
    /** Throws only where a shop counts more than were sent: what a failover lost is about to be written again. Nothing counts while the store is away. */
    checkMost: (): Promise<void> =>
      check(() => false).catch((error: unknown) => {
        if (!(error instanceof HeadraceError) || error.code !== 'HR_ONLINE_UNAVAILABLE') throw error;
      }),
    /** Throws unless each sale counts as it must, once `stop` has resolved, all is settled and a run has read all files. */
    async checkEnd(): Promise<void> {
      if (mistake !== undefined) throw mistake;
      const wrong: string[] = [];
      for (const source of SOURCES) {
        const own = entries.filter((entry) => entry.source === source);
        const counts = await sales.counts(
          source,
          own.map(({ sale }) => sale),
        );
        for (const { sale, key, state, isFiled } of own) {
          const count = counts.get(sale) ?? 0;
          const isSure = state === 'acknowledged' || isFiled;
          if (isSure ? count === 1 : count <= 1) continue;
          wrong.push(
            `${source}/${sale} counts ${count}: ${state}${isFiled ? ', filed' : ''}${key === undefined ? '' : `, ${key}`}`,
          );
        }
        const wanted = new Map<string, ShopCounts>(SHOPS.map((shop) => [shop, { count: 0, sum: 0, last: null }]));
        for (const { sale, shop, amount } of own) {
          const before = wanted.get(shop) as ShopCounts;
          // Amounts rise as times do.
          if (counts.get(sale) === 1)
            wanted.set(shop, { count: before.count + 1, sum: before.sum + amount, last: amount });
        }
        const shops = await sales.shops(source);
        for (const [shop, counted] of shops) {
          const [got, want] = [JSON.stringify(counted), JSON.stringify(wanted.get(shop))];
          if (got !== want) wrong.push(`${source}/${shop} is ${got}, by its sales ${want}`);
        }
      }
      if (wrong.length > 0) throw new Error(`${wrong.length} wrong counts:\n${wrong.slice(0, 20).join('\n')}`);
    },
    get acknowledged(): number {
      return entries.filter(({ state }) => state === 'acknowledged').length;
    },
    get sent(): number {
      return entries.length;
    },
    /** How the pushes failed so far, by status or error code. */
    failures: failures as ReadonlyMap<string, number>,
    /** No new sales; resolves once every push with a key is acknowledged. */
    async stop(): Promise<void> {
      isStopped = true;
      await loops;
      if (mistake !== undefined) throw mistake;
    },
  };
}
