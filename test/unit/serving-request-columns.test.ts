// The columns of an endpoint whose versions were trained on different definitions.

import { expect, it } from 'vitest';
import type { Field } from '../../src/core/index.ts';
import type { ResolvedService } from '../../src/definitions/index.ts';
import { uniteColumns } from '../../src/serving/request-columns.ts';

const asking = (...requestColumns: Field[]): ResolvedService => ({
  name: 's',
  requestColumns,
  reads: [],
  onDemand: [],
  features: [],
});
const a: Field = { name: 'a', type: { kind: 'float64' } };
const optional: Field = { ...a, isOptional: true };
const or = (value: number): Field => ({ ...a, default: value });
const unite = (applied: Field | undefined, ...versions: readonly Field[]) =>
  uniteColumns(
    versions.map((field, at) => ({ service: asking(field), version: at + 1 })),
    applied === undefined ? asking() : asking(applied),
    new Set(),
  )[0];

it.each([
  ['required where the definitions say so, whatever versions were trained with', a, [optional, or(1)], a],
  ['optional once the definitions say so, for versions from before, too', optional, [a, a], optional],
  ['a default once the definitions have one', or(1), [a, a], or(1)],
  ['the default that a version was trained with, as long as it is the only one', optional, [or(1), a], or(1)],
  ['null where defaults differ: each version takes its own', or(2), [or(1), or(2)], optional],
  ['null where the default has changed since', or(2), [or(1)], optional],
  ['as versions say where the definitions no longer have it', undefined, [or(1), or(1)], or(1)],
  ['required where one of them says so and the definitions nothing', undefined, [optional, a], a],
])('a column is %s', (_name, applied, versions, expected) => {
  expect(unite(applied, ...versions)).toEqual(expected);
});
