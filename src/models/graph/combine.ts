// Several nodes' answers to a row as one, output by output. Null is no answer.

import type { Field, Value } from '../../core/index.ts';

/** Of one row: what members of the ensemble gave, those that failed left out; `members` are their places among all. */
export type Combine = (given: readonly (readonly Value[])[], members: readonly number[]) => readonly Value[];

/** `weights`: of all members, in their order. */
export function compileCombine(by: 'mean' | 'vote', outputs: readonly Field[], weights: readonly number[]): Combine {
  const combine = by === 'mean' ? outputs.map(({ type }) => (type.kind === 'vector' ? meanVector : mean)) : undefined;
  return (given, members) =>
    outputs.map((output, at) => {
      const values: Weighted[] = [];
      for (let i = 0; i < given.length; i++) {
        const value = (given[i] as readonly Value[])[at] ?? null;
        if (value !== null) values.push({ value, weight: weights[members[i] as number] as number });
      }
      if (values.length === 0) return null;
      const found = (combine?.[at] ?? vote)(values);
      return output.type.kind === 'float32' ? Math.fround(found as number) : found;
    });
}

interface Weighted {
  readonly value: Value;
  readonly weight: number;
}

/** Σ wᵢ·xᵢ ⁄ Σ wᵢ */
function mean(values: readonly Weighted[]): number {
  let [sum, weights] = [0, 0];
  for (const { value, weight } of values) {
    sum += weight * (value as number);
    weights += weight;
  }
  return sum / weights;
}

function meanVector(values: readonly Weighted[]): Float32Array {
  // There is one at least, and they are of one type.
  const size = (values as readonly { readonly value: Float32Array }[])[0]?.value.length ?? 0;
  return Float32Array.from({ length: size }, (_, at) =>
    mean(values.map(({ value, weight }) => ({ value: (value as Float32Array)[at] as number, weight }))),
  );
}

/** The value of most weight; of several, the one that came first. */
function vote(values: readonly Weighted[]): Value {
  const weights = new Map<Value, number>();
  for (const { value, weight } of values) weights.set(value, (weights.get(value) ?? 0) + weight);
  let [best, most]: [Value, number] = [null, -Infinity];
  for (const [value, weight] of weights) if (weight > most) [best, most] = [value, weight];
  return best;
}
