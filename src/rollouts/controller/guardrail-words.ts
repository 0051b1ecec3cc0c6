// A guardrail's figures in words, for terminals and for the reason of a rollback: a share as a share, an excess as an excess, and of
// latency how many units are past the time that the guard names.

import { SLOW_SHARE } from './guard.ts';
import type { Guardrail } from './rollout.ts';

/** What is seen and what is allowed, each null where there is nothing to say. */
export function sayFigures(guardrail: Pick<Guardrail, 'metric' | 'limit' | 'value'>): {
  readonly is: string | null;
  readonly allowed: string | null;
} {
  const { metric, limit, value } = guardrail;
  const written = limit === null ? null : String(limit);
  const isExcess = written !== null && /^[+-].*%$/.test(written);
  // Units past a time are counted, and held against stable's or against one in a hundred.
  const past = isExcess ? `+0% past p99 ${written}` : `${percent(SLOW_SHARE)} past ${written}`;
  const allowed = metric === 'latency' ? past : written;
  if (value === null) return { is: null, allowed };
  if (metric === 'srm' || (metric === 'latency' && !isExcess)) return { is: percent(value), allowed };
  return { is: isExcess ? signed(value) : String(Number(value.toPrecision(3))), allowed };
}

/** Lines of a table, aligned. `EVIDENCE` is the test's, and where it breaches. */
export function describeGuardrails(guardrails: readonly Guardrail[]): readonly string[] {
  if (guardrails.length === 0) return [];
  const head = ['GUARD', 'VERDICT', 'IS', 'ALLOWED', 'CANDIDATE', 'STABLE', 'EVIDENCE', ''];
  const rows = [head, ...guardrails.map(rowOf)];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function rowOf(guardrail: Guardrail): string[] {
  const { metric, verdict, evidence } = guardrail;
  const { is, allowed } = sayFigures(guardrail);
  const isSplit = metric === 'srm';
  const { e, why } = evidence;
  return [
    metric,
    verdict,
    is ?? '',
    allowed ?? '',
    countOf(isSplit ? evidence['candidate_units'] : evidence['candidate_events']),
    countOf(isSplit ? evidence['stable_units'] : evidence['stable_events']),
    typeof e === 'number' ? `${evidenceOf(e)} of ${String(evidence['breach_at'])}` : '',
    typeof why === 'string' ? why : '',
  ];
}

function countOf(value: unknown): string {
  return typeof value === 'number' ? String(value) : '';
}

function evidenceOf(e: number): string {
  if (e < 0.001) return '<0.001';
  return e >= 1e6 ? e.toExponential(0).replace('+', '') : String(Number(e.toPrecision(3)));
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))}%`;
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${percent(value)}`;
}
