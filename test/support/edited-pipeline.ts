// A pipeline whose items a test edits, and what each of its steps gives: each task gives the step, the items and the needs that it was made for.

import fc from 'fast-check';
import type { Json } from '../../src/core/index.ts';
import type { Foreach, PipelineSpec } from '../../src/definitions/index.ts';
import { foreachCount, foreachItem } from '../../src/orchestrator/foreach.ts';
import { plainStep as step } from './plain-step.ts';

/** What the step `source` gives, over which others may run. */
export const SOURCE: readonly Json[] = [2, 'a', 2, { x: 1 }];

const value = fc.constantFrom<Json>(1, 2, 'a', null, { x: 1, y: 2 });
const foreach: fc.Arbitrary<Foreach> = fc.oneof(
  fc.array(value, { maxLength: 4 }).map((items): Foreach => ({ kind: 'items', items })),
  fc
    .tuple(fc.integer({ min: 0, max: 2 }), fc.nat(3))
    .map(([start, n]): Foreach => ({ kind: 'range', start, end: start + n })),
  fc
    .record({ lr: fc.array(value, { maxLength: 2 }), depth: fc.array(value, { maxLength: 2 }) })
    .map((axes): Foreach => ({ kind: 'grid', axes })),
  fc.constant<Foreach>({ kind: 'result', of: 'source' }),
);
export const edit = fc.record({
  fit: fc.option(foreach),
  group: foreach,
  inner: fc.option(foreach),
  /** Of ten tasks, how many fail this time. */
  harm: fc.constantFrom<number>(0, 1, 3, 5),
  dice: fc.nat(),
});
export type Edit = typeof edit extends fc.Arbitrary<infer E> ? E : never;

export function pipelineOf({ fit, group, inner }: Edit): PipelineSpec {
  const steps = [
    step('source'),
    step('fit', fit === null ? {} : { foreach: fit }),
    step('a', { in: 'group', ...(inner === null ? {} : { foreach: inner }) }),
    step('b', { in: 'group', needs: { a: 'a', fits: 'fit' } }),
    step('each', { foreach: { kind: 'result', of: 'group' }, needs: { fits: 'fit' } }),
    step('join', { needs: { groups: 'group', each: 'each' } }),
    step('last', { needs: { join: 'join' } }),
  ];
  return { name: 'p', params: [], steps, groups: [{ name: 'group', foreach: group, last: 'b' }] };
}

export const itemsOf = (of: Foreach | null, results: ReadonlyMap<string, unknown>): Json[] =>
  of === null
    ? [null]
    : Array.from({ length: foreachCount(of, results) }, (_, at) => foreachItem(of, at, results) as Json);

/** What each step gives, as a reader would work it out. */
export function evaluate({ fit, group, inner }: Edit): Readonly<Record<string, Json>> {
  const results = new Map<string, unknown>([['source', SOURCE]]);
  const plain = (all: readonly Json[], of: Foreach | null): Json => (of === null ? (all[0] ?? null) : all);
  const fits = plain(
    itemsOf(fit, results).map((item) => ['fit', {}, item, {}]),
    fit,
  );
  const groups = itemsOf(group, results).map((outer): Json => {
    const a = plain(
      itemsOf(inner, results).map((item) => ['a', { group: outer }, item, {}]),
      inner,
    );
    return ['b', { group: outer }, null, { a, fits }];
  });
  const each = groups.map((item): Json => ['each', {}, item, { fits }]);
  const join: Json = ['join', {}, null, { groups, each }];
  return { source: [...SOURCE], fit: fits, group: groups, each, join, last: ['last', {}, null, { join }] };
}
