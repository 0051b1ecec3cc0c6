import { describe, expect, it } from 'vitest';
import * as repo from '../support/written-repository.ts';

const V = 'onDemand/v';

async function hashOf(files: repo.Files, id = V): Promise<string | undefined> {
  return repo.functionRefs(await repo.loadFiles(files))[id]?.hash;
}

/** Files, and the same after a change in one of them. */
const changed = (files: repo.Files, name: string, from: string, to: string): repo.Files => {
  const before = files[name] ?? '';
  expect(before).toContain(from);
  return { ...files, [name]: before.replace(from, to) };
};

const BASE: repo.Files = {
  'views.ts': `${repo.IMPORTS}import { late } from './rules.ts';
const FACTOR = 3;
const unrelated = { a: 1 };
${repo.viewText(`({ request }) => ({ y: late(request.x) ? FACTOR : null })`)}
${repo.viewText(`({ request }) => ({ y: unrelated.a })`, 'other')}`,
  'rules.ts': `import { LIMIT } from './limits.ts';
/** Whether it is late. */
export function late(x: number | null): boolean { return x != null && x > LIMIT; }
export const unused = 5;`,
  'limits.ts': 'export const LIMIT = 15;\nexport const OTHER = 16;',
};

describe('the hash of a function', () => {
  const features = '{ y: t.float64() }, transform: ({ request }) => ({ y: late';
  it.each<[boolean, string, string, string]>([
    // Constants two modules away, a helper, the function itself.
    [true, 'limits.ts', '15', '20'],
    [true, 'rules.ts', 'x > LIMIT', 'x >= LIMIT'],
    [true, 'views.ts', ': null', ': 0'],
    [true, 'views.ts', 'FACTOR = 3', 'FACTOR = 4'],
    // What it does not reach.
    [false, 'limits.ts', '16', '17'],
    [false, 'rules.ts', '5', '6'],
    [false, 'views.ts', 'a: 1', 'a: 2'],
    [false, 'views.ts', 'const unrelated', 'const fresh = new Map([[1, 2]]);\nconst unrelated'],
    [false, 'views.ts', features, features.replace(' }', ', z: t.int32() }')],
  ])('is changed by what it reaches alone: %s, in %s from %s to %s', async (isOther, ...change) => {
    expect((await hashOf(changed(BASE, ...change))) !== (await hashOf(BASE))).toBe(isOther);
  });

  it('is what earlier releases said: another would make each view of each project a new version', async () => {
    expect(await hashOf(BASE)).toBe('71cadab375af87b511cdd9292c99c5d184c3892d3345d353a88b02cac01a9572');
  });

  it('is not changed by comments, types, quotes and line breaks; nor are the bundle’s bytes', async () => {
    const before = repo.functionRefs(await repo.loadFiles(BASE))[V];
    const files = {
      ...changed(BASE, 'rules.ts', '/** Whether it is late. */', '// Late?'),
      'views.ts': (BASE['views.ts'] ?? '')
        .replace(
          '({ request }) => ({ y: late(request.x) ? FACTOR : null })',
          '(\n  { request }: { request: any }, // the row\n) => ({ y: (late(request.x) as boolean)\n ? (FACTOR) : null, })',
        )
        .replace('const FACTOR = 3;', 'const FACTOR: number = 3'),
    };
    expect(repo.functionRefs(await repo.loadFiles(files))[V]).toEqual(before);
  });

  it('is one for the same function in two views', async () => {
    const { a, b } = { a: 'onDemand/a', b: 'onDemand/b' };
    const text = '({ request }) => ({ y: request.x })';
    const refs = repo.functionRefs(
      await repo.loadFiles({ 'v.ts': `${repo.IMPORTS}${repo.viewText(text, 'a')}${repo.viewText(text, 'b')}` }),
    );
    expect(refs[a]?.hash).toBe(refs[b]?.hash);
    expect(refs[a]?.bundle).toBe(refs[b]?.bundle);
  });

  it('tells two constants of one name apart', async () => {
    const files = (a: number, b: number): repo.Files => ({
      'v.ts': `${repo.IMPORTS}import { a } from './a.ts';\nimport { b } from './b.ts';\n${repo.viewText('() => ({ y: a() - b() })')}`,
      'a.ts': `const T = ${a};\nexport const a = () => T;`,
      'b.ts': `const T = ${b};\nexport const b = () => T;`,
    });
    const one = await repo.loadFiles(files(1, 2));
    const two = await repo.loadFiles(files(2, 1));
    expect(repo.functionRefs(one)[V]?.hash).not.toBe(repo.functionRefs(two)[V]?.hash);
    expect(repo.callFunction(one, V)).toEqual({ y: -1 });
    expect(repo.callFunction(two, V)).toEqual({ y: 1 });
  });
});

describe('statements that change what a function reaches', () => {
  const F = 'function f(n: number)';
  // All of them beside `const m: number[] = [];`.
  const cases: readonly (readonly [what: string, declared: string, change: string, read?: string])[] = [
    ['an assignment', 'let limit = 1;', 'limit = 5;', 'limit'],
    ['a member set', 'const rules: any = { limit: 1 };', 'rules.limit = 5;', 'rules.limit'],
    ['a Map filled', 'const all = new Map<string, number>();', `all.set('a', 5);`, `all.get('a')`],
    ['an array filled in a loop', '', 'for (const n of [5]) m.push(n);'],
    ['a helper that fills it', 'function fill(n: number) { m.push(n); }', 'fill(5);'],
    ['a helper that is given it', 'const fill = (to: number[], n: number) => { to.push(n); };', 'fill(m, 5);'],
    ['another name for it', 'const same = m;', 'same.push(5);'],
    ['an object that holds it', 'const all = { m };', 'all.m.push(5);'],
    ['another name given later', 'let same: number[] = [];\nsame = m;', 'same.push(5);'],
    ['a method that fills it', 'const store = { add(n: number) { m.push(n); } };', 'store.add(5);'],
    ['Object.assign', 'const rules: any = {};', 'Object.assign(rules, { limit: 5 });', 'rules.limit'],
    ['a member of a function', 'const f: any = () => 1;', 'f.limit = 5;', 'f.limit'],
    ['a class’s static member', 'class F { static limit = 1 }', 'F.limit = 5;', 'F.limit'],
    ['a destructuring assignment', 'let limit = 1;', '({ limit } = { limit: 5 });', 'limit'],
    ['a declaration that calls', 'const count = (n: number) => m.push(n);', 'const size = count(5);'],
    ['a method handed over', 'const store = { add(n: number) { m.push(n); } };', '[5].forEach(store.add);'],
    [
      'helpers that call each other',
      `${F} { if (n > 9) g(n); m.push(n); }\nfunction g(n: number) { f(n); }`,
      'f(5); g(4);',
    ],
    ['a constructor', 'class F { constructor(n: number) { m.push(n); } }', 'export const one = new F(5);'],
    [
      'what a made thing holds',
      `${F} { const o: any = {}; o.m = m; o.m.push(n); return o; }`,
      'export const o = f(5);',
    ],
    [
      'a method of their own that is called like one that changes nothing',
      'class R { all: number[] = []; with(n: number) { this.all.push(n); return this; } }\nconst r = new R();',
      'r.with(5);',
      'r.all[0]',
    ],
    [
      'such a method of an object that is written out, or given by a helper',
      'const store = { at: (n: number) => m.push(n) };\nconst give = () => store;',
      'give().at(5); const x = store.at(4);',
    ],
    [
      'a method of a name that stood for an object of the authoring API before',
      'let p: any = t.float64();',
      'p = { add: (to: number[], n: number) => to.push(n) };\np.add(m, 5);',
    ],
    ['a block', 'let limit = 1;', '{ const by = 4; limit += by; }', 'limit'],
    ['a var in a block', '', 'if (true) { var limit = 5; }', 'limit'],
  ];
  const whole = cases.map(([what, declared, change, read = 'm[0]']) => [what, declared, change, read] as const);
  it.each(whole)('count: %s', async (_, declared, change, read) => {
    const files = (text: string): repo.Files => ({
      'v.ts': `${repo.IMPORTS}const m: number[] = [];\n${declared}\nconst other = [1];\nother.push(2);\n${text}\n${repo.viewText(`() => ({ y: ${read} })`)}`,
    });
    const definitions = await repo.loadFiles(files(change));
    expect(repo.callFunction(definitions, V)).toEqual({ y: 5 });
    expect(repo.functionRefs(definitions)[V]?.hash).not.toBe(await hashOf(files(change.replace(/[54]/, '6'))));
    expect(repo.functionRefs(definitions)[V]?.hash).toBe(
      await hashOf({ 'v.ts': files(change)['v.ts']?.replace('push(2)', 'push(3)') ?? '' }),
    );
  });

  it('count in another module, and in their order', async () => {
    const files = (first: number, second: number): repo.Files => ({
      'a.ts': `export const rules: number[] = [];`,
      'b.ts': `import { rules } from './a.ts';\nrules.push(${first});`,
      'c.ts': `import { rules } from './a.ts';\nrules.push(${second});`,
      'v.ts': `${repo.IMPORTS}import { rules } from './a.ts';\n${repo.viewText(`() => ({ y: rules[0] })`)}`,
    });
    const definitions = await repo.loadFiles(files(1, 2));
    expect(repo.callFunction(definitions, V)).toEqual({ y: 1 });
    expect(repo.functionRefs(definitions)[V]?.hash).not.toBe(await hashOf(files(2, 1)));
  });

  it('leave out what uses a package, but for what sets it up', async () => {
    const files = (more: string): repo.Files => ({
      'v.ts': `${repo.IMPORTS}import lib, { use } from 'lib';\n${more}\n${repo.viewText(`() => ({ y: lib.n() })`)}`,
      ...repo.packageOf(
        'lib',
        'let n = 0;\nexports.extend = (by) => { n += by; return exports; };\nexports.use = exports.extend;\nexports.n = () => n;\nexports.format = (x) => x;',
      ),
    });
    const hash = await hashOf(files(''));
    expect(await hashOf(files('export const text = lib.format("a");'))).toBe(hash);
    for (const [more, y] of [
      ['lib.extend(2);', 2],
      ['export const same = lib.extend(3);', 3],
      ['export const same = use(4);', 4],
    ] as const) {
      const definitions = await repo.loadFiles(files(more));
      expect(repo.callFunction(definitions, V)).toEqual({ y });
      expect(repo.functionRefs(definitions)[V]?.hash).not.toBe(hash);
    }
  });

  it('leave out declarations that only look', async () => {
    const files = (more: string): repo.Files => ({
      'v.ts': `${repo.IMPORTS}const rules = [{ name: 'a', limit: 5 }];
${more}
${repo.viewText(`() => ({ y: rules[0].limit })`)}`,
    });
    const hash = await hashOf(files(''));
    for (const more of [
      'const names = rules.map((rule) => rule.name);',
      'const makeIndex = (all: any[]) => { const out = new Map(); for (const one of all) out.set(one.name, one); return out; };\nexport const index = makeIndex(rules);',
      `export const text = JSON.stringify(rules);`,
      'const all = { rules, names: ["a"] };\nexport const has = all.names.includes("a") && all.rules.some((rule) => rule.limit > 3);',
      'const byName = new Map(rules.map((rule) => [rule.name, rule] as const));\nexport const first = byName.get("a");',
      'class Rule { all: any; constructor(all: any) { this.all = all; } }\nexport const rule = new Rule(rules);',
      repo.sourceText('(row) => rules[0].limit'),
      repo
        .sourceText('lateAfter(rules, 3)')
        .replace('export', 'const lateAfter = (all: any[], n: number) => (row: any) => row.delay > all[n];\nexport'),
    ])
      expect(await hashOf(files(more))).toBe(hash);
  });
});
