// `models.providers` as it is written: a list for all models, or one for each by name.

import { providersMistake } from '../core/index.ts';

/** Execution providers in order, by model; those of `*` are for whatever is not named. */
export type ProvidersByModel = Readonly<Record<string, readonly string[]>>;

const EXPECTED =
  'execution providers in order, such as ["cuda", "cpu"] or "cuda,cpu", or those of models by name, such as { ranker: ["cuda", "cpu"], "*": ["cpu"] }';

export function parseProviders(raw: unknown): { readonly value: ProvidersByModel } | { readonly expected: string } {
  const isByModel = raw !== null && typeof raw === 'object' && !Array.isArray(raw);
  const given = isByModel ? Object.entries(raw) : [['*', raw] as const];
  const lists: [string, readonly string[]][] = [];
  for (const [model, written] of given) {
    const list = typeof written === 'string' ? written.split(',').map((part) => part.trim()) : (written as unknown);
    if (!Array.isArray(list) || list.length === 0 || model === '') return { expected: EXPECTED };
    if (!list.every((one): one is string => typeof one === 'string')) return { expected: EXPECTED };
    const mistake = providersMistake(list);
    if (mistake !== undefined) return { expected: `${EXPECTED} (${model === '*' ? '' : `${model}: `}${mistake})` };
    lists.push([model, list]);
  }
  return { value: Object.fromEntries(lists) };
}
