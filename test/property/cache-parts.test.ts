// The key of a cached task and what `runs show --why` says of it are of one list of parts: whatever changes the key has a name.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalJson, type Json } from '../../src/core/index.ts';
import type { StepAction } from '../../src/definitions/index.ts';
import { cacheKeys, sharedParts, taskParts } from '../../src/orchestrator/driver/cache-keys.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { differencesOf } from '../../src/orchestrator/why-step.ts';
import { orderOf } from '../support/step-order.ts';
import { runs } from '../support/tier.ts';

const value = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;
const name = fc.constantFrom('a', 'b', 'c.d', 'x y');
const record = fc.dictionary(name, value, { maxKeys: 3 });
const texts = fc.dictionary(name, fc.string(), { maxKeys: 2 });
const sha = fc.constantFrom('0', '1', '2').map((digit) => digit.repeat(64));
const file = fc.record({ sha256: sha, path: fc.string(), uri: fc.string(), rows: fc.nat(3) });
const action: fc.Arbitrary<StepAction> = fc.oneof(
  fc
    .record({ bundle: sha, id: name })
    .map(({ bundle, id }) => ({ kind: 'task', function: { id, hash: 'h', bundle } }) as const),
  fc
    .record({ script: name, hash: sha, args: record })
    .map(({ script, hash, args }) => ({ kind: 'python', script, args, files: [{ path: script, hash }] }) as const),
  fc.record({ command: fc.string() }).map(({ command }) => ({ kind: 'shell', command }) as const),
  fc.record({ image: name, command: fc.array(name) }).map((of) => ({ kind: 'container', ...of }) as const),
);
const order: fc.Arbitrary<StepOrder> = fc
  .record({
    action,
    params: record,
    items: record,
    needs: fc.dictionary(name, fc.oneof(value, file), { maxKeys: 2 }),
    env: texts,
    secrets: fc.dictionary(name, fc.record({ env: name }), { maxKeys: 2 }),
    reads: record,
    foreach: fc.array(value, { minLength: 2, maxLength: 2 }),
    index: fc.constantFrom(false as const, undefined),
    scope: fc.constantFrom('', '1'),
    run: name,
  })
  .map(({ action: own, reads, foreach, index, ...more }) =>
    orderOf(own, {
      ...more,
      foreach: { kind: 'items', items: foreach },
      cache: { reads },
      ...(index === undefined ? {} : { index }),
    }),
  );

/** Members of an order, each with what its parts are called. */
const MEMBERS: readonly (readonly [keyof StepOrder, RegExp])[] = [
  ['action', /^code\./],
  ['params', /^params\./],
  ['items', /^items\./],
  ['needs', /^needs\./],
  ['env', /^env\./],
  ['secrets', /^secrets\./],
  ['cache', /^(?:a|b|c\.d|x y)$/],
  ['foreach', /^item$/],
  ['scope', /^index$/],
];

const partsOf = (one: StepOrder, index: number) => new Map([...sharedParts(one), ...taskParts(one, index)]);

it('a key that is another has a part that says why, by the name of what changed; one that is the same has none', () => {
  fc.assert(
    fc.property(order, order, fc.constantFrom(...MEMBERS), (before, other, [member, called]) => {
      const { [member]: _, ...rest } = before;
      const after = { ...rest, ...(member in other ? { [member]: other[member] } : {}) } as StepOrder; // one member of another order
      for (const index of [0, 1]) {
        const differences = differencesOf(partsOf(before, index), partsOf(after, index));
        expect(cacheKeys(before)(index) === cacheKeys(after)(index)).toBe(differences.length === 0);
        for (const { part } of differences) expect(part).toMatch(called);
      }
    }),
    { numRuns: runs(2000) },
  );
});

it('two orders have one key exactly where they have the same parts, whatever run they are of', () => {
  fc.assert(
    fc.property(order, order, fc.nat(1), fc.nat(1), (one, other, at, otherAt) => {
      const isSame = canonicalJson([...partsOf(one, at)].sort()) === canonicalJson([...partsOf(other, otherAt)].sort());
      expect(cacheKeys(one)(at) === cacheKeys(other)(otherAt)).toBe(isSame);
      expect(cacheKeys({ ...one, run: 'another' })(at)).toBe(cacheKeys(one)(at));
    }),
    { numRuns: runs(1000) },
  );
});
