// A push held to what is expected of its source's rows, one by one: refused whole, set apart, or told of.

import { type BrokenRule, breach, type HeldRow, type Reason, type ValueCheck } from '../checks/index.ts';
import {
  type ErrorDetail,
  HeadraceError,
  type Micros,
  MOST_MISTAKES,
  noteMistake,
  type Row,
  sha256Hex,
  stringifyJson,
  toJson,
} from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';
import type { IdempotencyKey } from '../events/index.ts';
import type { FeedStep } from './feed-key.ts';

export interface CheckedPush {
  /** By the row's place in the push, why it is set apart. */
  readonly apart: ReadonlyMap<number, readonly Reason[]>;
  readonly broken: readonly BrokenRule[];
}

const NOTHING_BROKEN: CheckedPush = { apart: new Map(), broken: [] };

/**
 * `rows` have their derived columns. Rows that were put back are set apart no more. `tell` is called with what is broken,
 * also before it throws HR_EXPECTATION, which names each row and column.
 */
export function checkPush(
  checks: readonly ValueCheck[],
  rows: readonly Row[],
  isPutBack: boolean,
  tell: (broken: readonly BrokenRule[]) => void = () => {},
): CheckedPush {
  if (checks.length === 0) return NOTHING_BROKEN;
  const apart = new Map<number, Reason[]>();
  const broken: BrokenRule[] = [];
  const refused: ErrorDetail[] = [];
  // Of rows that are set apart nobody is warned besides.
  for (const check of [...checks].sort(warningsLast)) {
    const { rule, onFail, column } = check;
    if (isPutBack && onFail === 'quarantine') continue;
    let count = 0;
    for (let i = 0; i < rows.length; i++) {
      const value = rows[i]?.[column] ?? null;
      if (!check.isBroken(value) || (onFail === 'warn' && apart.has(i))) continue;
      count++;
      if (onFail === 'fail')
        noteMistake(refused, () => ({ path: `rows[${i}].${column}`, message: breach(check, value) }));
      else if (onFail === 'quarantine') {
        const reasons = apart.get(i) ?? [];
        apart.set(i, reasons);
        reasons.push({ rule, column, message: breach(check, value) });
      }
    }
    if (count > 0) broken.push({ rule, onFail, rows: count });
  }
  if (broken.length > 0) tell(broken);
  if (refused.length > 0) throw refusedPush(refused);
  return broken.length === 0 ? NOTHING_BROKEN : { apart, broken };
}

const warningsLast = (a: ValueCheck, b: ValueCheck): number =>
  Number(a.onFail === 'warn') - Number(b.onFail === 'warn');

function refusedPush(details: readonly ErrorDetail[]): HeadraceError {
  const [first] = details;
  const listed = details.length > MOST_MISTAKES ? `, the first ${MOST_MISTAKES} are listed` : '';
  const rest = details.length > 1 ? ` (and ${details.length - 1} more${listed})` : '';
  return new HeadraceError(
    'HR_EXPECTATION',
    `${first?.path ?? ''}: ${first?.message ?? ''}${rest}. Nothing of the push was taken: correct the rows, or loosen the rule.`,
    { details: details.slice(0, MOST_MISTAKES) },
  );
}

export interface HoldingPush {
  readonly key: IdempotencyKey | undefined;
  readonly nonce: string;
  readonly arrivedMicros: Micros;
  /** Of a batch of a feed, where each row lies there. */
  readonly step: FeedStep | undefined;
}

/**
 * The rows that are set apart, as the quarantine keeps them. A push with a key gives them the same ids whenever it comes
 * again, a feed whatever batch they are in; one without is a push of its own each time, and `nonce` tells it from others.
 */
export function heldRows(
  source: SourceSpec,
  rows: readonly Row[],
  apart: CheckedPush['apart'],
  { key, nonce, arrivedMicros, step }: HoldingPush,
): HeldRow[] {
  const ofPush = key === undefined ? [source.name, nonce] : [source.name, key.key, key.hash];
  const name = JSON.stringify(step === undefined ? ofPush : [source.name, 'feed', step.feed]);
  return [...apart].map(([i, reasons]) => ({
    id: sha256Hex(`${name} ${step?.places[i] ?? i}`).slice(0, 24),
    ...(step !== undefined && { feed: { name: step.feed, place: step.places[i] as number } }),
    source: source.name,
    row: stringifyJson(jsonOf(source, rows[i] as Row)),
    reasons,
    arrivedMicros,
  }));
}

/** As it would be pushed again; nulls are left out. */
function jsonOf({ columns }: SourceSpec, row: Row): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    columns.flatMap(({ name, type }) => {
      const value = row[name] ?? null;
      return value === null ? [] : [[name, toJson(type, value)]];
    }),
  );
}
