// How far the scores of a shadow lie from those that were answered: the population stability index over bins that the answered
// ones make, of about a tenth each.

import { psi } from '../../statistics/index.ts';

/** At most so many bins of about equal shares; a score that many rows have gets one of its own. */
const BINS = 10;

/**
 * Σ (q − p) ln(q / p) over the bins, with ½ added to each so that none is empty. The first of `reference` and `current` is kept
 * apart from the others, which are in order. Null where either has nothing.
 */
export function scorePsi(reference: Float64Array, current: Float64Array): number | null {
  const edges = edgesOf(reference);
  const [ref, cur] = [gather(reference, edges), gather(current, edges)];
  return isEmpty(ref) || isEmpty(cur) ? null : psi(ref, cur);
}

/** The last place of each bin: after each tenth of what lies there, and on both sides of a place that has a tenth by itself. */
function edgesOf(reference: Float64Array): number[] {
  let total = 0;
  for (let at = 1; at < reference.length; at++) total += reference[at] as number;
  const edges: number[] = [0];
  const add = (edge: number): void => {
    if (edge > (edges.at(-1) as number)) edges.push(edge);
  };
  let [before, next] = [0, 1];
  for (let at = 1; at < reference.length; at++) {
    const own = reference[at] as number;
    if (own === 0) continue;
    if (own * BINS >= total) add(at - 1);
    before += own;
    if (before * BINS < next * total && own * BINS < total) continue;
    add(at);
    next = Math.floor((before * BINS) / total) + 1;
  }
  add(reference.length - 1);
  return edges;
}

const isEmpty = (counts: readonly number[]): boolean => counts.every((count) => count === 0);

function gather(counts: Float64Array, edges: readonly number[]): number[] {
  let at = 0;
  return edges.map((edge) => {
    let sum = 0;
    for (; at <= edge; at++) sum += counts[at] as number;
    return sum;
  });
}
