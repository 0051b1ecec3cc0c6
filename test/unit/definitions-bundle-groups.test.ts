// Tasks of groups: each is bundled by itself, as one at the pipeline's top is, where it means no name of the group's function.

import { describe, expect, it } from 'vitest';
import type { Definitions } from '../../src/definitions/index.ts';
import { travel } from '../support/travelling.ts';
import { callFunction, functionRefs, loadFiles } from '../support/written-repository.ts';

const load = async (steps: string): Promise<Definitions> =>
  await loadFiles({
    'p.ts': `import { pipeline, range, task } from 'headrace';
const factor = 3;
const p = pipeline('p');
${steps}
export default p;`,
  });
const codeOf = (definitions: Definitions, step: string): string =>
  definitions.bundles.get(functionRefs(definitions)[`pipeline/p/${step}`]?.bundle ?? '') ?? '';
const hashOf = (definitions: Definitions, step: string): string | undefined =>
  functionRefs(definitions)[`pipeline/p/${step}`]?.hash;

const GROUP = `p.foreach('country', ['de', 'fr'], (q) => {
  const rows = q.step('rows', task((_needs: any, { items }: any) => items.country.length * factor));
  q.foreach('year', range(3), (r) => r.step('deep', task(({ rows }: any) => rows + factor), { needs: { rows } }));
  return q.step('fit', task((needs: any) => needs.rows + 1), { needs: { rows } });
});`;

describe('the task of a group', () => {
  it('is bundled without the pipeline', async () => {
    const definitions = await load(GROUP);
    const travelled = await travel(definitions);
    expect(callFunction(travelled, 'pipeline/p/rows', {}, { items: { country: 'de' } })).toBe(6);
    expect(callFunction(travelled, 'pipeline/p/deep', { rows: 4 })).toBe(7);
    expect(callFunction(travelled, 'pipeline/p/fit', { rows: 4 })).toBe(5);
    for (const step of ['rows', 'deep', 'fit'])
      expect(codeOf(definitions, step)).toMatch(/^'use strict'(?!.*(foreach|pipeline))/s);
  });

  it('has a hash that goes by its own code alone', async () => {
    const [one, other] = [await load(GROUP), await load(GROUP.replace('needs.rows + 1', 'needs.rows + 2'))];
    expect(hashOf(other, 'rows')).toBe(hashOf(one, 'rows'));
    expect(hashOf(other, 'deep')).toBe(hashOf(one, 'deep'));
    expect(hashOf(other, 'fit')).not.toBe(hashOf(one, 'fit'));
    const outside = await load(`p.step('fit', task((needs: any) => needs.rows + 1));`);
    expect(hashOf(outside, 'fit')).toBe(hashOf(one, 'fit'));
  });

  it.each([
    ['a name of its function', `p.foreach('c', [1], (q) => { const n = 4; return q.step('fit', task(() => n)); });`, 4],
    ['a function by its name', `p.foreach('c', [1], (q) => { const f = () => 5; return q.step('fit', task(f)); });`, 5],
    ['a name in a loop', `for (const n of [6]) p.foreach('c', [1], (q) => q.step('fit', task(() => n)));`, 6],
    [
      'another of that name',
      `p.foreach('c', [1], (q) => { { const q = 1; void q; } return q.step('fit', task(() => 7)); });`,
      7,
    ],
    [
      'a function that makes groups',
      `const add = (name: string) => p.foreach(name, [1], (q) => q.step('fit', task(() => 8))); add('c');`,
      8,
    ],
  ])('is found with what it means: %s', async (_name, steps, value) => {
    const travelled = await travel(await load(steps));
    expect(callFunction(travelled, 'pipeline/p/fit', {})).toBe(value);
  });
});
