// A push whose Idempotency-Key another entry holds: answered with what came of that one.

import { HeadraceError, invalid, sha256Hex, stringifyJson } from '../core/index.ts';
import type { EventLog, IdempotencyKey, LogEntry, WriterRow } from '../events/index.ts';
import type { ClaimPlace, StoreWriter } from '../online/index.ts';
import { claimId, type GrantedClaim } from './claim-desk.ts';
import { endOfStep, feedOf } from './feed-key.ts';
import { LOGGED, type PushResult, repeatedResult } from './push-result.ts';

/**
 * The first result. Throws HR_IDEMPOTENCY for other rows, HR_PUSH_UNDER_WAY while there is none, HR_PUSH_LOST where there
 * will be none. A writer that has ended answered, or settled, each of its entries: where a failing node lost the result of
 * one, all that is known is that it was accepted. Of one that was forgotten nobody can know that. Where the entry that holds
 * the key is void, because the store lost that its claim was given up, `release` gives it up again: HR_ONLINE_UNAVAILABLE.
 */
export async function repeatOf(
  log: Pick<EventLog, 'contents' | 'read' | 'writers'>,
  { holding, durable }: GrantedClaim,
  entry: Pick<LogEntry, 'key' | 'count'>,
  release: (claims: readonly ClaimPlace[]) => Promise<void>,
): Promise<PushResult> {
  const { key = '', hash } = entry.key ?? {};
  if (holding.payloadHash !== hash) throw otherRows(key);
  if (holding.result !== undefined) return repeatedResult(holding.result, durable);
  const holder = (await log.writers()).find(({ number }) => number === holding.writer);
  if (holder?.state === 'ended') {
    if (!(await isVoid(log, holder, holding.offset)))
      return { accepted: entry.count, duplicate: true, views: [], durable };
    await release([holding]);
    throw new HeadraceError(
      'HR_ONLINE_UNAVAILABLE',
      `the push that holds Idempotency-Key "${key}" counts nowhere: the online store could not keep its key safely, and has lost since that it was given up. Send it again.`,
    );
  }
  if (holder?.state === 'forgotten') {
    throw new HeadraceError(
      'HR_PUSH_LOST',
      `no answer is kept of the push that holds Idempotency-Key "${key}", and its writer ${holder.number} on "${holder.machine}" was given up (headrace log forget), so nobody can tell whether it counts. Look whether its rows are there; if not, push them with a new key.`,
    );
  }
  throw new HeadraceError(
    'HR_PUSH_UNDER_WAY',
    `a push with Idempotency-Key "${key}" is under way and not visible everywhere yet. Send it again in a moment.`,
  );
}

/** Whether an entry of a writer that has ended is known to be void: it lies in a shipped cut whose reading leaves it out. */
async function isVoid(
  log: Pick<EventLog, 'contents' | 'read'>,
  { number, removed }: WriterRow,
  offset: number,
): Promise<boolean> {
  // Offsets count the rows of all cuts: of those that were removed nobody knows how many there were.
  if (removed > 0) return false;
  const cuts = (await log.contents()).filter(({ writer }) => writer === number).sort((a, b) => a.cut - b.cut);
  let [before, isFound] = [0, false];
  for (const { cut, rows } of cuts) {
    if (rows === null) return false;
    const end = before + [...rows.values()].reduce((sum, count) => sum + count, 0);
    if (before <= offset && offset <= end) {
      isFound = true;
      for await (const entry of log.read(number, cut, cut)) if (entry.offset === offset) return false;
    }
    before = end;
  }
  return isFound;
}

/** What came of the push that holds the key, where that had these rows; undefined else. Throws as `repeatOf` does. */
export async function findRepeat(
  log: Pick<EventLog, 'contents' | 'read' | 'writers'>,
  store: Pick<StoreWriter, 'claims' | 'release'>,
  source: string,
  key: IdempotencyKey,
  count: number,
): Promise<PushResult | undefined> {
  let durable = LOGGED;
  const [holding] = await store.claims([claimId(source, key.key)], (_, one) => (durable = one));
  if (holding === undefined) return undefined;
  const granted = { holding, durable };
  if (feedOf({ source, key }) !== undefined) return secondOf(granted);
  return holding.payloadHash === key.hash ? repeatOf(log, granted, { key, count }, store.release) : undefined;
}

/** Of a feed's batch that came second: where to go on. */
export function secondOf({ holding, durable }: GrantedClaim): PushResult {
  return { accepted: 0, duplicate: true, views: [], durable, until: endOfStep(holding) };
}

export function otherRows(key: string): HeadraceError {
  return new HeadraceError(
    'HR_IDEMPOTENCY',
    `Idempotency-Key "${key}" came before with other rows; send the same rows again, or use a new key`,
  );
}

/**
 * Of the rows as they came, whatever their columns are by now: the same key with another hash is a mistake. A member that is
 * null is as good as one that is left out. Throws HR_INVALID for one that is nested deeper than any column.
 */
export function hashOf(rows: readonly object[]): string {
  let names: readonly string[] = [];
  let sorted: readonly string[] = [];
  const all = rows.map((row, index) => {
    const own = Object.keys(row);
    // Rows that come together mostly have their members in one order.
    if (own.length !== names.length || own.some((name, at) => name !== names[at]))
      [names, sorted] = [own, own.toSorted()];
    const values: unknown[] = [];
    for (const name of sorted) {
      const value = (row as Readonly<Record<string, unknown>>)[name];
      if (value === null) continue;
      if (isDeeper(value, MOST_NESTED))
        throw invalid([{ path: `rows[${index}].${name.slice(0, 100)}`, message: 'is nested too deeply' }]);
      values.push(name, value);
    }
    return values;
  });
  return sha256Hex(stringifyJson(all));
}

/** Far more than any column has, and far less than calls within each other can be. */
const MOST_NESTED = 100;

function isDeeper(json: unknown, most: number): boolean {
  if (typeof json !== 'object' || json === null) return false;
  return most === 0 || Object.values(json).some((inside) => isDeeper(inside, most - 1));
}
