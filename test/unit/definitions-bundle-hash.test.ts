import { describe, expect, it } from 'vitest';
import {
  callFunction,
  type Files,
  functionRefs,
  IMPORTS,
  loadFiles,
  sourceText,
  viewText,
} from '../support/written-repository.ts';

const V = 'onDemand/v';

async function hashOf(files: Files, id = V): Promise<string | undefined> {
  return functionRefs(await loadFiles(files))[id]?.hash;
}

/** Files, and the same after a change in one of them. */
const changed = (files: Files, name: string, from: string, to: string): Files => {
  const before = files[name] ?? '';
  expect(before).toContain(from);
  return { ...files, [name]: before.replace(from, to) };
};

const BASE: Files = {
  'views.ts': `${IMPORTS}import { late } from './rules.ts';
const FACTOR = 3;
const unrelated = { a: 1 };
${viewText(`({ request }) => ({ y: late(request.x) ? FACTOR : null })`)}
${viewText(`({ request }) => ({ y: unrelated.a })`, 'other')}`,
  'rules.ts': `import { LIMIT } from './limits.ts';
/** Whether it is late. */
export function late(x: number | null): boolean { return x != null && x > LIMIT; }
export const unused = 5;`,
  'limits.ts': 'export const LIMIT = 15;\nexport const OTHER = 16;',
};

describe('the hash of a function', () => {
  it('is that of a constant two modules away too', async () => {
    expect(await hashOf(changed(BASE, 'limits.ts', '15', '20'))).not.toBe(await hashOf(BASE));
  });

  it('is that of a helper, and of the function itself', async () => {
    const hash = await hashOf(BASE);
    expect(await hashOf(changed(BASE, 'rules.ts', 'x > LIMIT', 'x >= LIMIT'))).not.toBe(hash);
    expect(await hashOf(changed(BASE, 'views.ts', ': null', ': 0'))).not.toBe(hash);
    expect(await hashOf(changed(BASE, 'views.ts', 'FACTOR = 3', 'FACTOR = 4'))).not.toBe(hash);
  });

  it('is not changed by what it does not reach, in its own file or another', async () => {
    const hash = await hashOf(BASE);
    expect(await hashOf(changed(BASE, 'limits.ts', '16', '17'))).toBe(hash);
    expect(await hashOf(changed(BASE, 'rules.ts', '5', '6'))).toBe(hash);
    expect(await hashOf(changed(BASE, 'views.ts', 'a: 1', 'a: 2'))).toBe(hash);
    expect(
      await hashOf(changed(BASE, 'views.ts', 'const unrelated', 'const fresh = new Map([[1, 2]]);\nconst unrelated')),
    ).toBe(hash);
    expect(
      await hashOf(
        changed(
          BASE,
          'views.ts',
          '{ y: t.float64() }, transform: ({ request }) => ({ y: late',
          '{ y: t.float64(), z: t.int32() }, transform: ({ request }) => ({ y: late',
        ),
      ),
    ).toBe(hash);
  });

  it('is not changed by comments, types, quotes and line breaks; nor are the bundle’s bytes', async () => {
    const before = functionRefs(await loadFiles(BASE))[V];
    const files = {
      ...changed(BASE, 'rules.ts', '/** Whether it is late. */', '// Late?'),
      'views.ts': (BASE['views.ts'] ?? '')
        .replace(
          '({ request }) => ({ y: late(request.x) ? FACTOR : null })',
          '(\n  { request }: { request: any }, // the row\n) => ({ y: (late(request.x) as boolean)\n ? (FACTOR) : null, })',
        )
        .replace('const FACTOR = 3;', 'const FACTOR: number = 3'),
    };
    expect(functionRefs(await loadFiles(files))[V]).toEqual(before);
  });

  it('is not changed by moving a helper to another file, or by another name for an import', async () => {
    const hash = await hashOf(BASE);
    const moved = {
      'views.ts': (BASE['views.ts'] ?? '')
        .replace(`import { late } from './rules.ts';`, `import { late as isLate } from './all/index.ts';`)
        .replace('late(request.x)', 'isLate(request.x)'),
      'all/index.ts': `export * from './late.ts';`,
      'all/late.ts': `export const LIMIT = 15;\nexport function late(x: number | null): boolean { return x != null && x > LIMIT; }`,
    };
    expect(await hashOf(moved)).toBe(hash);
    const namespaced = {
      ...BASE,
      'views.ts': (BASE['views.ts'] ?? '')
        .replace(`import { late } from './rules.ts';`, `import * as rules from './rules.ts';`)
        .replace('late(request.x)', 'rules.late(request.x)'),
    };
    expect(await hashOf(namespaced)).toBe(hash);
  });

  it('is one for the same function in two views', async () => {
    const { a, b } = { a: 'onDemand/a', b: 'onDemand/b' };
    const text = '({ request }) => ({ y: request.x })';
    const refs = functionRefs(await loadFiles({ 'v.ts': `${IMPORTS}${viewText(text, 'a')}${viewText(text, 'b')}` }));
    expect(refs[a]?.hash).toBe(refs[b]?.hash);
    expect(refs[a]?.bundle).toBe(refs[b]?.bundle);
  });

  it('tells two constants of one name apart', async () => {
    const files = (a: number, b: number): Files => ({
      'v.ts': `${IMPORTS}import { a } from './a.ts';\nimport { b } from './b.ts';\n${viewText('() => ({ y: a() - b() })')}`,
      'a.ts': `const T = ${a};\nexport const a = () => T;`,
      'b.ts': `const T = ${b};\nexport const b = () => T;`,
    });
    const one = await loadFiles(files(1, 2));
    const two = await loadFiles(files(2, 1));
    expect(functionRefs(one)[V]?.hash).not.toBe(functionRefs(two)[V]?.hash);
    expect(callFunction(one, V)).toEqual({ y: -1 });
    expect(callFunction(two, V)).toEqual({ y: 1 });
  });
});

describe('statements that change what a function reaches', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['an assignment', 'let limit = 1;', 'limit = 5;', 'limit'],
    ['a member set', 'const rules: any = { limit: 1 };', 'rules.limit = 5;', 'rules.limit'],
    ['a Map filled', 'const m = new Map<string, number>();', `m.set('a', 5);`, `m.get('a')`],
    ['an array filled in a loop', 'const m: number[] = [];', 'for (const n of [5]) m.push(n);', 'm[0]'],
    ['a helper that fills it', 'const m: number[] = [];\nfunction fill(n: number) { m.push(n); }', 'fill(5);', 'm[0]'],
    [
      'a helper that is given it',
      'const m: number[] = [];\nconst fill = (to: number[], n: number) => { to.push(n); };',
      'fill(m, 5);',
      'm[0]',
    ],
    ['another name for it', 'const m: number[] = [];\nconst same = m;', 'same.push(5);', 'm[0]'],
    ['an object that holds it', 'const m: number[] = [];\nconst all = { m };', 'all.m.push(5);', 'm[0]'],
    [
      'another name given later',
      'const m: number[] = [];\nlet same: number[] = [];\nsame = m;',
      'same.push(5);',
      'm[0]',
    ],
    [
      'a method that fills it',
      'const m: number[] = [];\nconst store = { add(n: number) { m.push(n); } };',
      'store.add(5);',
      'm[0]',
    ],
    ['Object.assign', 'const rules: any = {};', 'Object.assign(rules, { limit: 5 });', 'rules.limit'],
    ['a member of a function', 'const f: any = () => 1;', 'f.limit = 5;', 'f.limit'],
    ['a class’s static member', 'class F { static limit = 1 }', 'F.limit = 5;', 'F.limit'],
    ['a destructuring assignment', 'let limit = 1;', '({ limit } = { limit: 5 });', 'limit'],
    [
      'a declaration that calls',
      'const m: number[] = [];\nconst count = (n: number) => m.push(n);',
      'const size = count(5);',
      'm[0]',
    ],
    [
      'a method handed over',
      'const m: number[] = [];\nconst store = { add(n: number) { m.push(n); } };',
      '[5].forEach(store.add);',
      'm[0]',
    ],
    [
      'helpers that call each other',
      'const m: number[] = [];\nfunction f(n: number): void { if (n > 9) g(n); m.push(n); }\nfunction g(n: number): void { f(n); }',
      'const x = f(5); const y = g(4);',
      'm[0]',
    ],
    [
      'a constructor',
      'const m: number[] = [];\nclass F { constructor(n: number) { m.push(n); } }',
      'export const one = new F(5);',
      'm[0]',
    ],
    [
      'what a thing that a helper made holds',
      'const m: number[] = [];\nfunction f(n: number) { const o: any = {}; o.m = m; o.m.push(n); return o; }',
      'export const one = f(5);',
      'm[0]',
    ],
    [
      'a method of their own that is called like one that changes nothing',
      'class R { all: number[] = []; with(n: number) { this.all.push(n); return this; } }\nconst m = new R();',
      'm.with(5);',
      'm.all[0]',
    ],
    [
      'such a method of an object that is written out, or given by a helper',
      'const m: number[] = [];\nconst store = { at: (n: number) => m.push(n) };\nconst give = () => store;',
      'give().at(5); const x = store.at(4);',
      'm[0]',
    ],
    [
      'a method of a name that stood for an object of the authoring API before',
      'const m: number[] = [];\nlet p: any = t.float64();',
      'p = { add: (to: number[], n: number) => to.push(n) };\np.add(m, 5);',
      'm[0]',
    ],
    ['a block', 'let limit = 1;', '{ const by = 4; limit += by; }', 'limit'],
    ['a var in a block', '', 'if (true) { var limit = 5; }', 'limit'],
  ];
  it.each(cases)('count: %s', async (_, declared, change, read) => {
    const files = (text: string): Files => ({
      'v.ts': `${IMPORTS}${declared}\nconst other = [1];\nother.push(2);\n${text}\n${viewText(`() => ({ y: ${read} })`)}`,
    });
    const definitions = await loadFiles(files(change));
    expect(callFunction(definitions, V)).toEqual({ y: 5 });
    expect(functionRefs(definitions)[V]?.hash).not.toBe(await hashOf(files(change.replace(/[54]/, '6'))));
    expect(functionRefs(definitions)[V]?.hash).toBe(
      await hashOf({ 'v.ts': files(change)['v.ts']?.replace('push(2)', 'push(3)') ?? '' }),
    );
  });

  it('count in another module, and in their order', async () => {
    const files = (first: number, second: number): Files => ({
      'a.ts': `export const rules: number[] = [];`,
      'b.ts': `import { rules } from './a.ts';\nrules.push(${first});`,
      'c.ts': `import { rules } from './a.ts';\nrules.push(${second});`,
      'v.ts': `${IMPORTS}import { rules } from './a.ts';\n${viewText(`() => ({ y: rules[0] })`)}`,
    });
    const definitions = await loadFiles(files(1, 2));
    expect(callFunction(definitions, V)).toEqual({ y: 1 });
    expect(functionRefs(definitions)[V]?.hash).not.toBe(await hashOf(files(2, 1)));
  });

  it('leave out what uses a package, but for what sets it up', async () => {
    const files = (more: string): Files => ({
      'v.ts': `${IMPORTS}import lib, { use } from 'lib';\n${more}\n${viewText(`() => ({ y: lib.n() })`)}`,
      'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0"}',
      'node_modules/lib/index.js':
        'let n = 0;\nexports.extend = (by) => { n += by; return exports; };\nexports.use = exports.extend;\nexports.n = () => n;\nexports.format = (x) => x;',
    });
    const hash = await hashOf(files(''));
    expect(await hashOf(files('export const text = lib.format("a");'))).toBe(hash);
    for (const [more, y] of [
      ['lib.extend(2);', 2],
      ['export const same = lib.extend(3);', 3],
      ['export const same = use(4);', 4],
    ] as const) {
      const definitions = await loadFiles(files(more));
      expect(callFunction(definitions, V)).toEqual({ y });
      expect(functionRefs(definitions)[V]?.hash).not.toBe(hash);
    }
  });

  it('leave out declarations that only look', async () => {
    const files = (more: string): Files => ({
      'v.ts': `${IMPORTS}const rules = [{ name: 'a', limit: 5 }];
${more}
${viewText(`() => ({ y: rules[0].limit })`)}`,
    });
    const hash = await hashOf(files(''));
    for (const more of [
      'const names = rules.map((rule) => rule.name);',
      'const makeIndex = (all: any[]) => { const out = new Map(); for (const one of all) out.set(one.name, one); return out; };\nexport const index = makeIndex(rules);',
      `export const text = JSON.stringify(rules);`,
      'const all = { rules, names: ["a"] };\nexport const has = all.names.includes("a") && all.rules.some((rule) => rule.limit > 3);',
      'const byName = new Map(rules.map((rule) => [rule.name, rule] as const));\nexport const first = byName.get("a");',
      'class Rule { all: any; constructor(all: any) { this.all = all; } }\nexport const rule = new Rule(rules);',
      sourceText('(row) => rules[0].limit'),
      sourceText('lateAfter(rules, 3)').replace(
        'export',
        'const lateAfter = (all: any[], n: number) => (row: any) => row.delay > all[n];\nexport',
      ),
    ])
      expect(await hashOf(files(more))).toBe(hash);
  });
});
