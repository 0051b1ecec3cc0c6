// Rows of a push that go to the quarantine in place of the log: kept before the others are logged, so that no answer tells of
// a row that is nowhere; taken back where the push comes to nothing.

import { randomUUID } from 'node:crypto';
import { HeadraceError, messageOf, type Micros, type Row } from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';
import type { IdempotencyKey } from '../events/index.ts';
import type { FeedStep } from './feed-key.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { type CheckedPush, heldRows } from './push-checks.ts';
import type { PushResult } from './push-result.ts';

interface Apart {
  /** With the columns that a row is logged with. */
  readonly source: SourceSpec;
  readonly rows: readonly Row[];
  readonly apart: CheckedPush['apart'];
  readonly keyed: IdempotencyKey | undefined;
  readonly step: FeedStep | undefined;
  readonly arrivedMicros: Micros;
}

interface Keeping {
  readonly deps: Pick<IngestionDeps, 'quarantine' | 'logger'>;
  repeat(source: string, key: IdempotencyKey, count: number): Promise<PushResult | undefined>;
}

/**
 * `append` takes the other rows. A push with a key that was taken before is answered from its first result: what it sets
 * apart now, by other rules maybe, was decided then. Throws HR_QUARANTINE_FULL, and what `append` does.
 */
export async function withApart(
  { deps: { quarantine, logger }, repeat }: Keeping,
  { source, rows, apart, keyed, step, arrivedMicros }: Apart,
  append: () => Promise<PushResult | undefined>,
): Promise<PushResult | undefined> {
  const before = keyed === undefined ? undefined : await repeat(source.name, keyed, rows.length - apart.size);
  if (before !== undefined) return before;
  if (quarantine === undefined)
    throw new Error(`rows of source "${source.name}" are set apart, and there is no quarantine`);
  const own = await quarantine();
  const holding = heldRows(source, rows, apart, { key: keyed, nonce: randomUUID(), arrivedMicros, step });
  const held = await own.hold(holding);
  const withdraw = async (): Promise<void> => {
    // Of a feed another reader may rely on them by now: the batch that counts says which of them stay.
    if (step !== undefined) return;
    await own.withdraw(held).catch((error: unknown) => {
      logger.warn({ source: source.name, reason: messageOf(error) }, 'rows stay in quarantine of a push that failed');
    });
  };
  try {
    const result = await append();
    // Later definitions are in force, and may set others apart.
    if (result === undefined) await withdraw();
    return result;
  } catch (error) {
    // The same push may be under way elsewhere, and rely on what was kept here: then the rows stay.
    const isOwn = keyed === undefined ? isNothingLogged(error) : isOtherPush(error);
    if (isOwn) await withdraw();
    throw error;
  }
}

/** Once a batch of a feed counts: what a reader that died, or came second, held of it by other rules is let go. */
export async function letOthersGo(
  { quarantine, logger }: Pick<IngestionDeps, 'quarantine' | 'logger'>,
  source: SourceSpec,
  rows: readonly Row[],
  apart: CheckedPush['apart'],
  step: FeedStep,
): Promise<void> {
  const { feed: name, from, to } = step;
  const own = heldRows(source, rows, apart, { key: undefined, nonce: '', arrivedMicros: 0, step });
  try {
    const ids = own.map(({ id }) => id);
    await (await quarantine?.())?.keepOnly({ source: source.name, name, from, to }, ids);
  } catch (error) {
    logger.warn({ source: source.name, reason: messageOf(error) }, 'rows may stay in quarantine that count');
  }
}

/** Other rows hold the key: nobody's push has these. */
const isOtherPush = (error: unknown): boolean => error instanceof HeadraceError && error.code === 'HR_IDEMPOTENCY';

const NOTHING_LOGGED: ReadonlySet<string> = new Set(['HR_STORAGE_FULL', 'HR_STOPPING', 'HR_CONFLICT']);

/** Of any other error nobody here can tell: then the others may count, and these are to be found. */
const isNothingLogged = (error: unknown): boolean => error instanceof HeadraceError && NOTHING_LOGGED.has(error.code);

interface Rows<L> {
  readonly rows: readonly Row[];
  readonly byLens: ReadonlyMap<L, readonly Row[]>;
}

/** The rows that are not set apart, in their order; so too as each lens has them. */
export function withoutRows<L>({ rows, byLens }: Rows<L>, apart: CheckedPush['apart']): Rows<L> {
  const isSound = (_: Row, i: number): boolean => !apart.has(i);
  return {
    rows: rows.filter(isSound),
    byLens: new Map([...byLens].map(([lens, own]) => [lens, own.filter(isSound)] as const)),
  };
}
