// Chance by a seed, so that a history can be played again.

import { seeded } from '../../src/core/index.ts';

export interface Random {
  /** In [0, 1), of 32 bits. */
  next(): number;
  /** A whole number in [0, limit). */
  below(limit: number): number;
  /** A whole number in [from, to). */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** So many different items. */
  sample<T>(items: readonly T[], count: number): T[];
  shuffled<T>(items: readonly T[]): T[];
}

export function createRandom(seed: number): Random {
  // The seed's hash, so that neighbours differ from their first number on.
  const next = seeded(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b));
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from));
  const sample = <T>(items: readonly T[], count: number): T[] => {
    const left = [...items];
    return Array.from({ length: count }, () => left.splice(between(0, left.length), 1)).flat();
  };
  return {
    next,
    between,
    sample,
    below: (limit) => between(0, limit),
    chance: (probability) => next() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new Error('nothing to pick from');
      // The index is within the items.
      return items[between(0, items.length)] as T;
    },
    shuffled: (items) => sample(items, items.length),
  };
}
