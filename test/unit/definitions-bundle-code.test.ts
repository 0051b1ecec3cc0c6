// What a bundle gives is what the function gives in its repository.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import * as defs from '../../src/definitions/index.ts';

import { onDemandView, t } from '../../src/index.ts';
import { missing, travel } from '../support/travelling.ts';
import * as repo from '../support/written-repository.ts';

const V = 'onDemand/v';

/** What the view `v` of these files gives; its bundle alone is run, without the repository. */
async function valueOf(files: repo.Files, given: unknown = { request: { x: 7 } }): Promise<unknown> {
  const folder = await repo.writeRepository(files);
  const definitions = await defs.loadDefinitions(folder, 'p');
  await rm(folder, { recursive: true });
  const travelled = await travel(definitions);
  const value = repo.callFunction(travelled, V, given) as { y: unknown };
  expect(repo.callFunction(definitions, V, given)).toEqual(value);
  return value.y;
}

const inView = (before: string, transform: string): string => `${repo.IMPORTS}${before}\n${repo.viewText(transform)}`;

/** The view `v` in `v.ts`, beside other files. */
const view = (before: string, transform: string, others: repo.Files = {}): repo.Files => ({
  'v.ts': inView(before, transform),
  ...others,
});
const PLUS = '({ request }: any) => ({ y: request.x + 1 })';
const OPTIONS = '{ inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ';
const OF_F = '({ request }: any) => ({ y: f(request.x) })';
const F_FILE = 'export const f = (x: number) => x + 1;';
const SERVICE = `${repo.IMPORTS}import { featureService } from 'headrace';\n`;

describe('a bundle gives what the function gives', () => {
  const cases: Readonly<Record<string, repo.Files>> = {
    'a function by its name': view('function f({ request }: any) { return { y: request.x + 1 }; }', 'f'),
    'a method': {
      'v.ts': inView('const one = 1;', '0').replace(': 0', '({ request }) { return { y: (request.x ?? 0) + one }; }'),
    },
    'a shorthand': { 'v.ts': inView(`const transform = ${PLUS};`, '0').replace('transform: 0', 'transform') },
    'what a factory gives': view(
      'const plus = (n: number) => ({ request }: any) => ({ y: request.x + n });',
      'plus(1)',
    ),
    'a member': view(`const all = { f: ${PLUS} };`, 'all.f'),
    'a static method': view(
      'class F { static #one = 1; static f({ request }: any) { return { y: request.x + F.#one }; } }',
      'F.f',
    ),
    'a default export': view(`import f from './f.ts';`, 'f', {
      'f.ts': 'const one = 1;\nexport default ({ request }: any) => ({ y: request.x + one });',
    }),
    'a named default export': view(`import f from './f.ts';`, 'f', {
      'f.ts': 'export default function g({ request }: any) { return { y: request.x + 1 }; }',
    }),
    'a default function without a name': view(`import f from './f.ts';`, 'f', {
      'f.ts': 'export default function ({ request }: any) { return { y: request.x + 1 }; }',
    }),
    're-exports': view(`import { g as f } from './all/index.js';`, OF_F, {
      'all/index.ts': `export { f as g } from './f';\nexport * from './other';`,
      'all/f.ts': F_FILE,
      'all/other.ts': 'export const other = 1;',
    }),
    'export *, through two files': view(`import { f } from './a.ts';`, OF_F, {
      'a.ts': `export * from './b.ts';`,
      'b.ts': `export * from './c.ts';\nexport default 9;`,
      'c.ts': F_FILE,
    }),
    'a namespace, by name and as a whole': view(
      `import * as rules from './rules.ts';\nconst name = 'g' as string;`,
      '({ request }: any) => ({ y: rules.f(request.x) + (rules as any)[name]() + Object.keys(rules).length - 3 })',
      { 'rules.ts': 'export const f = (x: number) => x;\nexport function g() { return 1; }\nexport let n = 1;' },
    ),
    'export * as': view(`import { rules } from './all.ts';`, OF_F.replace('f(', 'rules.f('), {
      'all.ts': `export * as rules from './rules.ts';`,
      'rules.ts': F_FILE,
    }),
    'modules that import each other': view(`import { f } from './a.ts';`, OF_F, {
      'a.ts': `import { g } from './b.ts';\nexport const one = 1;\nexport function f(x: number) { return g(x); }`,
      'b.ts': `import { one } from './a.ts';\nexport function g(x: number) { return x + one; }`,
    }),
    'names that are taken by parameters, shorthands and globals': {
      'v.ts': inView(
        `import { x as request } from './x.ts';\nconst process = 1;\nfunction fetch(module: number) { const { y } = { y: module }; return y; }\nconst exports = { process };`,
        `({ request: { x } }: any) => { const x$1 = request; return { y: fetch(x) + process + x$1 - 5 + exports.process - 1 }; }`,
      ),
      'x.ts': 'const process = 5;\nexport { process as x };',
    },
    'shorthands and patterns under another name': {
      'v.ts': inView(
        `import { limit } from './a.ts';\nimport { other } from './b.ts';`,
        '({ request }: any) => { const o = { limit, other }; const { x } = request; return { y: x + o.limit - o.other }; }',
      ),
      'a.ts':
        'const [value = 0, { b: limit, ...rest }] = [1, { b: 3, c: 4 }] as any;\nexport { limit };\nexport { rest };',
      'b.ts': 'const limit = 2;\nexport { limit as other };',
    },
    'labels, regexes, templates, classes, generators': {
      'v.ts': inView(
        `const text = (x: number) => \`\${\`\${x}\`}\`;
class Counter { n: number; static make(n: number) { return new Counter(n); } constructor(n: number) { this.n = n; } get next() { return this.n + 1; } }
function* upTo(n: number) { for (let i = 0; i < n; i++) yield i; }`,
        `({ request }: any) => { let y = 0; outer: for (const i of upTo(5)) { for (;;) { y = i; continue outer; } } return { y: Counter.make(Number(text(request.x).replace(/x/g, ''))).next + y - 4 }; }`,
      ),
    },
    'a class that says its name': {
      'v.ts': inView(
        'class Counter { static own() { return Counter.name; } }',
        '({ request }: any) => ({ y: request.x + [Counter.name, Counter.own()].filter((name) => name === "Counter").length - 1 })',
      ),
    },
    'optional chains': {
      'v.ts': inView(
        'const a = (o: any) => (o?.b).c; const b = (o: any) => o?.b.c;',
        '({ request }: any) => { let y = b(null) ?? request.x; try { a(null); } catch { y++; } return { y }; }',
      ),
    },
    JSON: {
      'v.ts': inView(
        `import days from './days.json' with { type: 'json' };`,
        '({ request }: any) => ({ y: request.x + days.list[0] })',
      ),
      'days.json': '{ "list": [1], "__proto__": { "a": 1 } }',
    },
    'a loop of objects': {
      'v.ts': `${SERVICE}const views: any[] = [];
for (const name of ['u', 'v', 'w']) views.push(onDemandView(name, ${OPTIONS}({ request }) => ({ y: (request.x ?? 0) + views.findIndex((one) => one.name === name) }) }));
export const all = featureService('all', views);`,
    },
    'an object made by a helper': {
      'make.ts': `${repo.IMPORTS}export const make = (name: string, n: number) => onDemandView(name, ${OPTIONS}({ request }) => ({ y: (request.x ?? 0) + n }) });`,
      'v.ts': `import { make } from './make.ts';\nexport const v = make('v', 1);\nexport const w = make('w', 2);`,
    },
    'objects kept where nobody would look': {
      'v.ts': `${SERVICE}class Registry { all: any[] = []; with(view: any) { this.all.push(view); return this; } }
const registry = new Registry();
const named = (name: string) => onDemandView(name, ${OPTIONS}({ request }) => ({ y: (request.x ?? 0) + name.length }) });
registry.with(named('v'));
export const all = featureService('all', registry.all);`,
    },
    'options that are spread': {
      'v.ts': `${repo.IMPORTS}const base = ${OPTIONS}${PLUS} };\nexport const v = onDemandView('v', { ...base });`,
    },
    'options in a variable': {
      'v.ts': `${repo.IMPORTS}const base = ${OPTIONS}${PLUS} };\nexport const v = onDemandView('v', base);`,
    },
    'a name that is a constant': {
      'v.ts': inView(`import { NAME } from './name.ts';`, PLUS).replace(`onDemandView('v'`, 'onDemandView(NAME'),
      'name.ts': `export const NAME = 'v';`,
    },
    'a view that its function names': view('', '({ request }: any) => ({ y: request.x + v.name.length })'),
    'the API under a namespace': {
      'v.ts': inView('', PLUS)
        .replace(repo.IMPORTS, `import * as h from 'headrace';\n`)
        .replaceAll(/\b(onDemandView|t)(?=[.(])/g, 'h.$1'),
    },
    'what is not exported': {
      'v.ts': `${SERVICE}const v${repo.viewText(PLUS).slice('export const v'.length)}export const s = featureService('s', [v]);`,
    },
    "Node's own pure modules": {
      'v.ts': inView(
        `import { createHash } from 'node:crypto';\nimport path, { join } from 'node:path';\nimport * as util from 'util';`,
        `({ request }: any) => ({ y: request.x + Number(path.sep === '/') + join('a', 'b').length - 3 + util.format('').length + createHash('md5').update('').digest().length - 16 })`,
      ),
    },
    'a package that asks for another one only if it is there': view(
      `import { n } from 'lib';`,
      '({ request }: any) => ({ y: request.x + n })',
      repo.packageOf(
        'lib',
        `let n = 1;\ntry { n = require('not-there').n; } catch {}\nexports.n = n;\nexports.later = () => require('@not/there/either');`,
      ),
    ),
    'a package that is set up by a statement': view(
      `import lib from 'lib';\nlib.extend(1);`,
      '({ request }: any) => ({ y: request.x + lib.n() })',
      repo.packageOf('lib', 'let n = 0;\nexports.extend = (by) => { n += by; };\nexports.n = () => n;'),
    ),
  };
  it.each(Object.entries(cases))('%s', async (_name, files) => {
    expect(await valueOf(files)).toBe(8);
  });

  it('with an npm package of the repository, as a module or in CommonJS', async () => {
    const files: repo.Files = {
      'v.ts': inView(
        `import three, { plus } from 'plain';\nimport * as all from '@scope/modern';`,
        '({ request }: any) => ({ y: plus(request.x, three.three) - all.two + (three as any).default.n })',
      ),
      'node_modules/plain/package.json': '{"name":"plain","version":"1.2.3","main":"main.js"}',
      'node_modules/plain/main.js': `Object.defineProperty(exports, '__esModule', { value: true });\nexports.default = { n: 0 };\nexports.three = require('./three');\nexports.plus = (a, b) => a + b;`,
      'node_modules/plain/three.js': 'module.exports = 3;',
      'node_modules/@scope/modern/package.json':
        '{"name":"@scope/modern","version":"2.0.0","type":"module","exports":{"import":"./m.js","require":"./wrong.js"}}',
      'node_modules/@scope/modern/m.js': 'export const two = 2;\nexport const unused = 3;',
    };
    expect(await valueOf(files)).toBe(8);
    const hash = repo.functionRefs(await repo.loadFiles(files))[V]?.hash;
    const changed = async (name: string, content: string): Promise<unknown> =>
      repo.functionRefs(await repo.loadFiles({ ...files, [name]: content }))[V]?.hash;
    expect(await changed('node_modules/plain/three.js', 'module.exports = 4;')).not.toBe(hash);
    expect(
      await changed('node_modules/plain/package.json', '{"name":"plain","version":"1.2.4","main":"main.js"}'),
    ).not.toBe(hash);
    expect(await changed('node_modules/plain/other.js', 'module.exports = 4;')).toBe(hash);
  });

  it('with files in CommonJS, and files outside of the repository', async () => {
    const folder = await repo.writeRepository({
      'repo/v.ts': inView(
        `import { one } from './one.cjs';\nimport { two } from '../shared/two.ts';\nimport three from '../shared/three.json' with { type: 'json' };`,
        '({ request }: any) => ({ y: request.x + one - two + three.n - 1 })',
      ),
      'repo/one.cjs': `exports.one = require('./parts/one.cjs') + 1;`,
      'repo/parts/one.cjs': 'module.exports = 0;',
      'shared/two.ts': `import { N } from './n.ts';\nexport const two: number = N;`,
      'shared/n.ts': 'export const N = 1;\nexport const unused = 5;',
      'shared/three.json': '{"n":2}',
    });
    const definitions = await defs.loadDefinitions(join(folder, 'repo'), 'p');
    expect(repo.callFunction(await travel(definitions), V, { request: { x: 7 } })).toEqual({ y: 8 });
    const hash = repo.functionRefs(definitions)[V]?.hash;
    const hashAfter = async (name: string, content: string): Promise<unknown> => {
      await repo.writeFiles(folder, { [name]: content });
      return repo.functionRefs(await defs.loadDefinitions(join(folder, 'repo'), 'p'))[V]?.hash;
    };
    expect(await hashAfter('shared/n.ts', 'export const N = 1;\nexport const unused = 6;')).toBe(hash);
    expect(await hashAfter('repo/parts/one.cjs', 'module.exports = 1;')).not.toBe(hash);
  });

  it('with a package that would read files elsewhere, as long as it does not', async () => {
    const files: repo.Files = {
      'v.ts': inView(
        `import { n, read } from 'lib';`,
        '({ request }: any) => ({ y: request.x > 8 ? read() : request.x + n })',
      ),
      ...repo.packageOf('lib', `exports.n = 1;\nexports.read = () => require('fs').readFileSync('x').length;`),
    };
    expect(await valueOf(files)).toBe(8);
    const definitions = await repo.loadFiles(files);
    expect(() => repo.callFunction(definitions, V, { request: { x: 9 } })).toThrow(
      'fs is not there for a pure function',
    );
  });
});

describe('tasks', () => {
  it('may wait, read files and import later', async () => {
    const folder = await repo.writeRepository({
      'p.ts': `${repo.IMPORTS}import { readFile } from 'node:fs/promises';
const p = pipeline('p');
const encoding = 'utf8';
const first = p.step('first', task(async () => (await import('./later.ts')).later));
p.step('second', task(async ({ first }, { params }) => [first, params.a, typeof fetch, (await readFile('/dev/null', encoding)), (await import('node:path')).sep, Date.now() > 0]), { needs: { first } });
export default p;`,
      'later.ts': 'export const later = 5;',
    });
    const definitions = await defs.loadDefinitions(folder, 'p');
    await rm(folder, { recursive: true });
    const travelled = await travel(definitions);
    expect(await repo.callFunction(travelled, 'pipeline/p/first', {}, {})).toBe(5);
    const second = await repo.callFunction(travelled, 'pipeline/p/second', { first: 5 }, { params: { a: 1 } });
    expect(second).toEqual([5, 1, 'function', '', '/', true]);
  });
});

// Tasks of groups: each is bundled by itself, as one at the pipeline's top is, where it means no name of the group's function.
const load = async (steps: string): Promise<defs.Definitions> =>
  await repo.loadFiles({
    'p.ts': `import { pipeline, range, task } from 'headrace';
const factor = 3;
const p = pipeline('p');
${steps}
export default p;`,
  });
const codeOf = (definitions: defs.Definitions, step: string): string =>
  definitions.bundles.get(repo.functionRefs(definitions)[`pipeline/p/${step}`]?.bundle ?? '') ?? '';
const hashOf = (definitions: defs.Definitions, step: string): string | undefined =>
  repo.functionRefs(definitions)[`pipeline/p/${step}`]?.hash;

const GROUP = `p.foreach('country', ['de', 'fr'], (q) => {
  const rows = q.step('rows', task((_needs: any, { items }: any) => items.country.length * factor));
  q.foreach('year', range(3), (r) => r.step('deep', task(({ rows }: any) => rows + factor), { needs: { rows } }));
  return q.step('fit', task((needs: any) => needs.rows + 1), { needs: { rows } });
});`;

describe('the task of a group', () => {
  it('is bundled without the pipeline', async () => {
    const definitions = await load(GROUP);
    const travelled = await travel(definitions);
    expect(repo.callFunction(travelled, 'pipeline/p/rows', {}, { items: { country: 'de' } })).toBe(6);
    expect(repo.callFunction(travelled, 'pipeline/p/deep', { rows: 4 })).toBe(7);
    expect(repo.callFunction(travelled, 'pipeline/p/fit', { rows: 4 })).toBe(5);
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
    expect(repo.callFunction(travelled, 'pipeline/p/fit', {})).toBe(value);
  });
});

// Bundles as they are stored and fetched: their bytes, what is told of missing ones, what they may see.
const D = 'source/s/derive/d';

describe('bundles', () => {
  const files: repo.Files = {
    'v.ts':
      inView(
        `import { late } from './rules.ts';\nimport { two } from 'lib';`,
        '({ request }) => ({ y: late(request.x) ? two : 0 })',
      ) + repo.sourceText('(row) => late(row.delay) ? 1 : 0'),
    'rules.ts': 'export const late = (x: number | null) => x != null && x > 15;',
    ...repo.packageOf('lib', `exports.two = require('./deep/two');`),
    'node_modules/lib/deep/two.js': 'module.exports = 2;',
  };

  it('have equal bytes wherever the repository lies', async () => {
    const one = await repo.loadFiles(files);
    const two = await repo.loadFiles(files);
    expect(one.directory).not.toBe(two.directory);
    expect([...one.bundles]).toEqual([...two.bundles]);
    expect(one.hash).toBe(two.hash);
    for (const [hash, code] of one.bundles) {
      expect(sha256Hex(code)).toBe(hash);
      expect(code).not.toContain('headrace-repository');
      expect(code).not.toContain('node_modules');
    }
    // Where packages lie deeper, as they do in a workspace.
    const inFolder = Object.fromEntries(
      Object.entries(files).map(([name, text]) => [name.startsWith('node_modules') ? name : `repo/${name}`, text]),
    );
    const folder = await repo.writeRepository(inFolder);
    expect((await defs.loadDefinitions(`${folder}/repo`, 'p')).hash).toBe(one.hash);
  });

  it('that were altered are not run', async () => {
    const definitions = await repo.loadFiles(files);
    const altered = new Map([...definitions.bundles].map(([hash, code]) => [hash, `${code} `]));
    const error = await repo.failureOf(travel(definitions, altered), 'HR_CODE_ALTERED');
    expect(error.message).toContain('headrace apply');
  });

  it('that are missing are told by the function', async () => {
    const definitions = await repo.loadFiles(files);
    const transform = repo.functionRefs(definitions)[V]?.bundle;
    const kept = new Map([...definitions.bundles].filter(([hash]) => hash !== transform));
    const error = await repo.failureOf(travel(definitions, kept), 'HR_CODE_MISSING');
    expect(error.message).toContain('the transform of on-demand view "v"');
    expect(error.message).toContain('the artifact store (file:/artifacts)');
    expect(error.message).toContain('headrace apply');
    // Definitions that were loaded without it say so whenever it is wanted.
    const lost = new Map([[V, error]]);
    expect(() => defs.functionOf({ functions: new Map(), lost }, { id: V })).toThrow(error.message);
  });

  it('are there only for those that are wanted', async () => {
    const definitions = await repo.loadFiles(files);
    const wanted = await travel(definitions, definitions.bundles, (id) => id === D);
    expect([...wanted.functions.keys()]).toEqual([D]);
    expect(wanted.bundles.size).toBe(1);
  });

  it('that were never made say to apply again', async () => {
    const transform = ({ request }: { request: { x: number | null } }) => ({ y: request.x });
    const v = onDemandView('v', { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform });
    const definitions = defs.compileDefinitions([{ file: 'v.ts', name: 'v', value: v }], {
      project: 'p',
      directory: '/',
    });
    expect(definitions.bundles.size).toBe(0);
    expect((await repo.failureOf(travel(definitions), 'HR_CODE_MISSING')).message).toContain('headrace apply');
  });

  it('are fetched and run once for all loads that share a cache', async () => {
    const definitions = await repo.loadFiles(files);
    const cache = new Map<string, Promise<defs.LoadedBundle>>();
    let fetched = 0;
    const load = (): Promise<defs.Definitions> =>
      defs.loadBundled(definitions.manifest, definitions.hash, {
        directory: '/',
        cache,
        getBundle: async (hash) => {
          fetched++;
          return definitions.bundles.get(hash) ?? missing(hash);
        },
      });
    const [one, two] = [await load(), await load()];
    expect(fetched).toBe(2);
    expect(one.functions.get(V)).toBe(two.functions.get(V));
  });

  it('name the function in stack traces', async () => {
    const definitions = await repo.loadFiles({
      'v.ts': inView('', '({ request }) => ({ y: (request.x as any).no.no })'),
    });
    const call = () => repo.callFunction(definitions, V, { request: { x: 1 } });
    expect(call).toThrow(expect.objectContaining({ stack: expect.stringContaining('headrace:onDemand/v') }));
    expect(call).toThrow(TypeError);
  });

  it('find no clock, network or process', async () => {
    const definitions = await repo.loadFiles({
      'v.ts': inView(`import * as lib from 'lib';`, '() => ({ y: lib.found() })'),
      ...repo.packageOf(
        'lib',
        `exports.found = () => [typeof fetch, typeof process, typeof crypto, typeof setTimeout, typeof performance, typeof Buffer, typeof URL].join();`,
      ),
    });
    const found = 'undefined,undefined,undefined,undefined,undefined,function,function';
    expect(repo.callFunction(definitions, V)).toEqual({ y: found });
  });
});
