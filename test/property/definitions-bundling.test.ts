// Random graphs of helpers, over files that import each other in every way: the bundle computes what the repository does,
// and its hash changes exactly when something that it reaches does.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { loadBundled } from '../../src/definitions/index.ts';
import { callFunction, type Files, functionRefs, IMPORTS, loadFiles, viewText } from '../support/written-repository.ts';
import { runs } from '../support/tier.ts';

const SHAPES = ['function', 'arrow', 'object', 'map', 'let', 'class', 'made', 'registry', 'alias', 'maker'] as const;
type Shape = (typeof SHAPES)[number];
type Import = 'named' | 'alias' | 'namespace' | 'barrel' | 'whole';

/** Helper number `at`: gives its constant plus what the helpers that it calls give; those come before it. */
interface Helper {
  readonly file: number;
  readonly shape: Shape;
  readonly by: Import;
  readonly constant: number;
  readonly calls: readonly number[];
}

const FILES = 3;

const helpers: fc.Arbitrary<readonly Helper[]> = fc
  .array(
    fc.record({
      file: fc.nat({ max: FILES - 1 }),
      shape: fc.constantFrom(...SHAPES),
      by: fc.constantFrom<Import>('named', 'alias', 'namespace', 'barrel', 'whole'),
      constant: fc.integer({ min: 1, max: 1000 }),
      calls: fc.array(fc.nat(), { maxLength: 3 }),
    }),
    { minLength: 2, maxLength: 8 },
  )
  .map((all) =>
    all.map((one, at) => ({ ...one, calls: at === 0 ? [] : [...new Set(one.calls.map((call) => call % at))] })),
  );

/** What a helper gives. */
function value(all: readonly Helper[], at: number): number {
  const { constant, calls } = all[at] as Helper; // within the list
  return calls.reduce((sum, call) => sum + value(all, call), constant);
}

function reachedFrom(all: readonly Helper[], roots: readonly number[]): Set<number> {
  const reached = new Set(roots);
  for (const at of reached) for (const call of all[at]?.calls ?? []) reached.add(call);
  return reached;
}

/** A namespace that is read by computed names is reached with all that it has. */
function mayReachFrom(all: readonly Helper[], roots: readonly number[]): Set<number> {
  const reached = new Set(roots);
  for (const at of reached) {
    const { by, file, calls } = all[at] as Helper; // within the list
    for (const call of calls) reached.add(call);
    if (by === 'whole') all.forEach((other, place) => other.file === file && reached.add(place));
  }
  return reached;
}

/** A call of helper `at` in a file, and the import that it needs. */
function callOf(all: readonly Helper[], at: number, from: number | 'view'): { call: string; imported: string } {
  const { file, by } = all[at] as Helper; // within the list
  if (file === from) return { call: `h${at}()`, imported: '' };
  const path = `./f${file}`;
  switch (by) {
    case 'named':
      return { call: `h${at}()`, imported: `import { h${at} } from '${path}.ts';` };
    case 'alias':
      return { call: `other${at}()`, imported: `import { h${at} as other${at} } from '${path}.js';` };
    case 'namespace':
      return { call: `all${file}.h${at}()`, imported: `import * as all${file} from '${path}.ts';` };
    case 'barrel':
      return { call: `again${at}()`, imported: `import { h${at} as again${at} } from './barrel';` };
    case 'whole':
      return { call: `(whole${file} as any)['h' + ${at}]()`, imported: `import * as whole${file} from '${path}';` };
  }
}

// The same names in every file, so that they get into each other's way.
function declare(at: number, { shape, constant }: Helper, sum: string): string {
  switch (shape) {
    case 'function':
      return `const c${at} = ${constant};\nexport function h${at}(): number { const total = c${at} + ${sum}; return total; }`;
    case 'arrow':
      return `export const h${at} = (): number => ${constant} + ${sum};`;
    case 'object':
      return `const o${at}: any = { ...{ c: 0 } };\no${at}.c = ${constant};\nexport const h${at} = (): number => o${at}.c + ${sum};`;
    case 'map':
      return `const table${at} = new Map<string, number>();\nfor (const total of [${constant}]) table${at}.set('c', total);\nexport const h${at} = (): number => (table${at}.get('c') ?? 0) + ${sum};`;
    case 'let':
      return `let c${at} = 0;\nfunction set${at}() { c${at} = ${constant}; }\nset${at}();\nexport function h${at}(): number { return c${at} + ${sum}; }`;
    case 'class':
      return `class C${at} { static c = ${constant}; static sum(total = C${at}.c): number { return total + ${sum}; } }\nexport const h${at} = () => C${at}.sum();`;
    case 'registry':
      return `class R${at} { all: number[] = []; with(total: number) { this.all.push(total); return this; } }\nconst r${at} = new R${at}();\nr${at}.with(${constant});\nexport const h${at} = (): number => r${at}.all[0] + ${sum};`;
    case 'alias':
      return `const list${at}: number[] = [];\nconst other${at}x = { list: list${at} };\nfor (const total of [${constant}]) other${at}x.list.push(total);\nexport function h${at}(): number { const { list } = { list: list${at} }; return list[0] + ${sum}; }`;
    case 'maker':
      return `function start${at}(total: number) { const state = { total }; return { read: () => state.total, set: (next: number) => { state.total = next; } }; }\nconst state${at} = start${at}(0);\nstate${at}.set(${constant});\nexport const h${at} = (): number => state${at}.read() + ${sum};`;
    case 'made':
      return `const make${at} = (total: number) => (): number => total + ${sum};\nexport const h${at} = make${at}(${constant});`;
  }
}

function repository(all: readonly Helper[], roots: readonly number[]): Files {
  const files: Record<string, string> = {};
  for (let file = 0; file < FILES; file++) {
    const imports = new Set<string>();
    const body = all.flatMap((helper, at) => {
      if (helper.file !== file) return [];
      const calls = helper.calls.map((call) => callOf(all, call, file));
      for (const { imported } of calls) imports.add(imported);
      return [declare(at, helper, ['0', ...calls.map(({ call }) => call)].join(' + '))];
    });
    files[`f${file}.ts`] = [...imports, ...body, `export const file = ${file};`].join('\n');
  }
  files['barrel.ts'] = Array.from({ length: FILES }, (_, file) => `export * from './f${file}.ts';`).join('\n');
  const calls = roots.map((root) => callOf(all, root, 'view'));
  const imports = new Set(calls.map(({ imported }) => imported));
  files['view.ts'] = [
    IMPORTS,
    ...imports,
    'const total = 1;',
    viewText(`() => ({ y: ${['total', ...calls.map(({ call }) => call)].join(' + ')} })`),
  ].join('\n');
  return files;
}

it('holds for any graph of helpers', async () => {
  await fc.assert(
    fc.asyncProperty(
      helpers,
      fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
      fc.nat(),
      async (all, picks, pick) => {
        const roots = [...new Set(picks.map((one) => one % all.length))];
        const definitions = await loadFiles(repository(all, roots));
        const travelled = await loadBundled(definitions.manifest, definitions.hash, {
          directory: '/',
          getBundle: async (hash) => definitions.bundles.get(hash) ?? '',
        });
        const expected = roots.reduce((sum, root) => sum + value(all, root), 1);
        expect(callFunction(travelled, 'onDemand/v')).toEqual({ y: expected });

        const at = pick % all.length;
        const changed = all.map((one, place) => (place === at ? { ...one, constant: one.constant + 1 } : one));
        const after = functionRefs(await loadFiles(repository(changed, roots)))['onDemand/v'];
        const before = functionRefs(definitions)['onDemand/v'];
        const isReached = reachedFrom(all, roots).has(at);
        if (isReached) expect(after?.hash).not.toBe(before?.hash);
        else if (!mayReachFrom(all, roots).has(at)) expect(after).toEqual(before);
      },
    ),
    { numRuns: runs(60) },
  );
});

it('gives one hash to one graph, whatever file each helper lies in and however it is imported', async () => {
  const plain = helpers.map((all) =>
    all.map((one) => ({ ...one, shape: one.shape === 'arrow' ? ('arrow' as const) : ('function' as const) })),
  );
  const places = fc.array(
    fc.record({
      file: fc.nat({ max: FILES - 1 }),
      by: fc.constantFrom<Import>('named', 'alias', 'namespace', 'barrel'),
    }),
    { minLength: 16, maxLength: 16 },
  );
  await fc.assert(
    fc.asyncProperty(plain, places, fc.nat(), async (all, placed, pick) => {
      const root = pick % all.length;
      const hashOf = async (from: number): Promise<unknown> => {
        const moved = all.map((one, at) => ({ ...one, ...placed[from + at] }));
        return functionRefs(await loadFiles(repository(moved, [root])))['onDemand/v']?.hash;
      };
      expect(await hashOf(0)).toBe(await hashOf(8));
    }),
    { numRuns: runs(30) },
  );
});
