// Which statements at the top level of a module may change what a name stands for.

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findEffects, isAuthored } from '../../src/definitions/bundling/effects.ts';
import { readModuleGraph } from '../../src/definitions/bundling/module-graph.ts';
import { writeRepository } from '../support/written-repository.ts';

/** Of a module that exports `m`: whether that is an object of the authoring API, and the statements that may change it. */
async function read(statements: string) {
  const text = `import { pipeline } from 'headrace';\n${statements}`;
  const folder = await writeRepository({ 'm.js': text });
  const graph = readModuleGraph([join(folder, 'm.js')], folder, () => undefined);
  const [module] = graph.modules;
  const target = module && graph.exportOf(module, 'm');
  if (target === undefined) throw new Error('no m is exported');
  const changing = findEffects(graph).on(target);
  return {
    isAuthored: isAuthored(graph, target),
    changes: changing.map(({ node }) => text.slice(node.start, node.end)),
  };
}

describe('an object of the authoring API', () => {
  it('is one that a call of it made, and stays one', async () => {
    expect(await read(`export const m = pipeline('p');`)).toMatchObject({ isAuthored: true });
    expect(await read(`export let m = pipeline('p');\nm = {};`)).toMatchObject({ isAuthored: false });
    expect(await read('export const m = [1];')).toMatchObject({ isAuthored: false });
    expect(await read(`const made = () => pipeline('p');\nexport const m = made();`)).toMatchObject({
      isAuthored: false,
    });
  });

  it('changes nothing that it is given, unless its name came to stand for another', async () => {
    const given = 'p.step(m);';
    expect((await read(`export const m = [1];\nconst p = pipeline('p');\n${given}`)).changes).toEqual([]);
    expect((await read(`export const m = [1];\nlet p = pipeline('p');\np = other;\n${given}`)).changes).toEqual([
      'p = other;',
      given,
    ]);
  });
});

it('what calls, sets or deletes a part of a value changes it, what reads it does not', async () => {
  const text = [
    'export const m = [1];',
    'm.push(2);',
    'm[0] = 3;',
    'm[0]++;',
    'delete m[0];',
    'const n = m[0] + m.length;',
  ];
  expect((await read(text.join('\n'))).changes).toEqual(text.slice(1, 5));
});
