// A push whose Idempotency-Key another entry holds: answered with what came of that one.

import { type DataType, HeadraceError, sha256Hex, stringifyJson, toJson, type Value } from '../core/index.ts';
import type { EventLog, LogEntry } from '../events/index.ts';
import type { Claim } from '../online/index.ts';
import type { ParsedRow } from './parse-push.ts';
import { type PushResult, repeatedResult } from './push-result.ts';
import type { SourcePlan } from './source-plan.ts';

/**
 * The first result. Throws HR_IDEMPOTENCY for other rows, HR_PUSH_UNDER_WAY while there is none, HR_PUSH_LOST where there
 * will be none. A writer that has ended answered, or settled, each of its entries: where a failing node lost the result of
 * one, all that is known is that it was accepted. Of one that was forgotten nobody can know that.
 */
export async function repeatOf(log: Pick<EventLog, 'writers'>, holding: Claim, entry: LogEntry): Promise<PushResult> {
  const { key = '', hash } = entry.key ?? {};
  if (holding.payloadHash !== hash) throw otherRows(key);
  if (holding.result !== undefined) return repeatedResult(holding.result);
  const holder = (await log.writers()).find(({ number }) => number === holding.writer);
  if (holder?.state === 'ended') return { accepted: entry.count, duplicate: true, views: [] };
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

export function otherRows(key: string): HeadraceError {
  return new HeadraceError(
    'HR_IDEMPOTENCY',
    `Idempotency-Key "${key}" came before with other rows; send the same rows again, or use a new key`,
  );
}

/** Of the rows as they came: the same key with another hash is a mistake. */
export function hashOf({ source }: SourcePlan, rows: readonly ParsedRow[]): string {
  const { columns } = source;
  const values = rows.map(({ row, knownMicros }) => {
    const all: unknown[] = [knownMicros ?? null];
    for (const { name, type } of columns) all.push(plainOf(type, row[name] ?? null));
    return all;
  });
  // A list may hold bigints, which the platform's own JSON refuses.
  const hasLists = columns.some(({ type }) => type.kind === 'list');
  return sha256Hex(hasLists ? stringifyJson(values) : JSON.stringify(values));
}

// Within a column of one type these tell all values apart, and take less time than their proper JSON.
function plainOf(type: DataType, value: Value): unknown {
  if (type.kind === 'timestamp') return value;
  return typeof value === 'bigint' ? value.toString() : toJson(type, value);
}
