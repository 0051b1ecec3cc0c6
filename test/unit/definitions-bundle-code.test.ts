// What a bundle gives is what the function gives in its repository.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { travel } from '../support/travelling.ts';
import {
  callFunction,
  type Files,
  functionRefs,
  IMPORTS,
  loadFiles,
  viewText,
  writeFiles,
  writeRepository,
} from '../support/written-repository.ts';

const V = 'onDemand/v';

/** What the view `v` of these files gives; its bundle alone is run, without the repository. */
async function valueOf(files: Files, given: unknown = { request: { x: 7 } }): Promise<unknown> {
  const folder = await writeRepository(files);
  const definitions = await loadDefinitions(folder, 'p');
  await rm(folder, { recursive: true });
  const travelled = await travel(definitions);
  const value = callFunction(travelled, V, given) as { y: unknown };
  expect(callFunction(definitions, V, given)).toEqual(value);
  return value.y;
}

const inView = (before: string, transform: string): string => `${IMPORTS}${before}\n${viewText(transform)}`;

describe('a bundle gives what the function gives', () => {
  const cases: Readonly<Record<string, Files>> = {
    'a function by its name': { 'v.ts': inView('function f({ request }: any) { return { y: request.x + 1 }; }', 'f') },
    'a method': {
      'v.ts': inView('const one = 1;', '0').replace(
        'transform: 0',
        'transform({ request }) { return { y: (request.x ?? 0) + one }; }',
      ),
    },
    'a shorthand': {
      'v.ts': inView('const transform = ({ request }: any) => ({ y: request.x + 1 });', '0').replace(
        'transform: 0',
        'transform',
      ),
    },
    'what a factory gives': {
      'v.ts': inView('const plus = (n: number) => ({ request }: any) => ({ y: request.x + n });', 'plus(1)'),
    },
    'a member': { 'v.ts': inView('const all = { f: ({ request }: any) => ({ y: request.x + 1 }) };', 'all.f') },
    'a static method': {
      'v.ts': inView(
        'class F { static #one = 1; static f({ request }: any) { return { y: request.x + F.#one }; } }',
        'F.f',
      ),
    },
    'a default export': {
      'v.ts': inView(`import f from './f.ts';`, 'f'),
      'f.ts': 'const one = 1;\nexport default ({ request }: any) => ({ y: request.x + one });',
    },
    'a named default export': {
      'v.ts': inView(`import f from './f.ts';`, 'f'),
      'f.ts': 'export default function g({ request }: any) { return { y: request.x + 1 }; }',
    },
    'a default function without a name': {
      'v.ts': inView(`import f from './f.ts';`, 'f'),
      'f.ts': 'export default function ({ request }: any) { return { y: request.x + 1 }; }',
    },
    're-exports': {
      'v.ts': inView(`import { g as f } from './all/index.js';`, '({ request }: any) => ({ y: f(request.x) })'),
      'all/index.ts': `export { f as g } from './f';\nexport * from './other';`,
      'all/f.ts': 'export const f = (x: number) => x + 1;',
      'all/other.ts': 'export const other = 1;',
    },
    'export *, through two files': {
      'v.ts': inView(`import { f } from './a.ts';`, '({ request }: any) => ({ y: f(request.x) })'),
      'a.ts': `export * from './b.ts';`,
      'b.ts': `export * from './c.ts';\nexport default 9;`,
      'c.ts': 'export const f = (x: number) => x + 1;',
    },
    'a namespace, by name and as a whole': {
      'v.ts': inView(
        `import * as rules from './rules.ts';\nconst name = 'g' as string;`,
        '({ request }: any) => ({ y: rules.f(request.x) + (rules as any)[name]() + Object.keys(rules).length - 3 })',
      ),
      'rules.ts': 'export const f = (x: number) => x;\nexport function g() { return 1; }\nexport let n = 1;',
    },
    'export * as': {
      'v.ts': inView(`import { rules } from './all.ts';`, '({ request }: any) => ({ y: rules.f(request.x) })'),
      'all.ts': `export * as rules from './rules.ts';`,
      'rules.ts': 'export const f = (x: number) => x + 1;',
    },
    'modules that import each other': {
      'v.ts': inView(`import { f } from './a.ts';`, '({ request }: any) => ({ y: f(request.x) })'),
      'a.ts': `import { g } from './b.ts';\nexport const one = 1;\nexport function f(x: number) { return g(x); }`,
      'b.ts': `import { one } from './a.ts';\nexport function g(x: number) { return x + one; }`,
    },
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
      'v.ts': `${IMPORTS}import { featureService } from 'headrace';
const views: any[] = [];
for (const name of ['u', 'v', 'w']) views.push(onDemandView(name, { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }) => ({ y: (request.x ?? 0) + views.findIndex((one) => one.name === name) }) }));
export const all = featureService('all', views);`,
    },
    'an object made by a helper': {
      'make.ts': `${IMPORTS}export const make = (name: string, n: number) => onDemandView(name, { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }) => ({ y: (request.x ?? 0) + n }) });`,
      'v.ts': `import { make } from './make.ts';\nexport const v = make('v', 1);\nexport const w = make('w', 2);`,
    },
    'objects kept where nobody would look': {
      'v.ts': `${IMPORTS}import { featureService } from 'headrace';
class Registry { all: any[] = []; with(view: any) { this.all.push(view); return this; } }
const registry = new Registry();
const named = (name: string) => onDemandView(name, { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }) => ({ y: (request.x ?? 0) + name.length }) });
registry.with(named('v'));
export const all = featureService('all', registry.all);`,
    },
    'options that are spread': {
      'v.ts': `${IMPORTS}const base = { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }: any) => ({ y: request.x + 1 }) };\nexport const v = onDemandView('v', { ...base });`,
    },
    'options in a variable': {
      'v.ts': `${IMPORTS}const base = { inputs: { request: { x: t.float64() } }, features: { y: t.float64() }, transform: ({ request }: any) => ({ y: request.x + 1 }) };\nexport const v = onDemandView('v', base);`,
    },
    'a name that is a constant': {
      'v.ts': inView(`import { NAME } from './name.ts';`, '({ request }: any) => ({ y: request.x + 1 })').replace(
        `onDemandView('v'`,
        'onDemandView(NAME',
      ),
      'name.ts': `export const NAME = 'v';`,
    },
    'a view that its function names': {
      'v.ts': inView('', '({ request }: any) => ({ y: request.x + v.name.length })'),
    },
    'the API under a namespace': {
      'v.ts': inView('', '({ request }: any) => ({ y: request.x + 1 })')
        .replace(IMPORTS, `import * as h from 'headrace';\n`)
        .replaceAll(/\b(onDemandView|t)(?=[.(])/g, 'h.$1'),
    },
    'what is not exported': {
      'v.ts': `${IMPORTS}import { featureService } from 'headrace';\nconst v${viewText('({ request }: any) => ({ y: request.x + 1 })').slice('export const v'.length)}export const s = featureService('s', [v]);`,
    },
    "Node's own pure modules": {
      'v.ts': inView(
        `import { createHash } from 'node:crypto';\nimport path, { join } from 'node:path';\nimport * as util from 'util';`,
        `({ request }: any) => ({ y: request.x + Number(path.sep === '/') + join('a', 'b').length - 3 + util.format('').length + createHash('md5').update('').digest().length - 16 })`,
      ),
    },
  };
  for (const [name, files] of Object.entries(cases)) {
    it(name, async () => {
      expect(await valueOf(files)).toBe(8);
    });
  }

  it('with an npm package of the repository, as a module or in CommonJS', async () => {
    const files: Files = {
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
    const hash = functionRefs(await loadFiles(files))[V]?.hash;
    const changed = async (name: string, content: string): Promise<unknown> =>
      functionRefs(await loadFiles({ ...files, [name]: content }))[V]?.hash;
    expect(await changed('node_modules/plain/three.js', 'module.exports = 4;')).not.toBe(hash);
    expect(
      await changed('node_modules/plain/package.json', '{"name":"plain","version":"1.2.4","main":"main.js"}'),
    ).not.toBe(hash);
    expect(await changed('node_modules/plain/other.js', 'module.exports = 4;')).toBe(hash);
  });

  it('with files in CommonJS, and files outside of the repository', async () => {
    const folder = await writeRepository({
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
    const definitions = await loadDefinitions(join(folder, 'repo'), 'p');
    expect(callFunction(await travel(definitions), V, { request: { x: 7 } })).toEqual({ y: 8 });
    const hash = functionRefs(definitions)[V]?.hash;
    const hashAfter = async (name: string, content: string): Promise<unknown> => {
      await writeFiles(folder, { [name]: content });
      return functionRefs(await loadDefinitions(join(folder, 'repo'), 'p'))[V]?.hash;
    };
    expect(await hashAfter('shared/n.ts', 'export const N = 1;\nexport const unused = 6;')).toBe(hash);
    expect(await hashAfter('repo/parts/one.cjs', 'module.exports = 1;')).not.toBe(hash);
  });

  it('with a package that would read files elsewhere, as long as it does not', async () => {
    const files: Files = {
      'v.ts': inView(
        `import { n, read } from 'lib';`,
        '({ request }: any) => ({ y: request.x > 8 ? read() : request.x + n })',
      ),
      'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0"}',
      'node_modules/lib/index.js': `exports.n = 1;\nexports.read = () => require('fs').readFileSync('x').length;`,
    };
    expect(await valueOf(files)).toBe(8);
    const definitions = await loadFiles(files);
    expect(() => callFunction(definitions, V, { request: { x: 9 } })).toThrow('fs is not there for a pure function');
  });

  it('with a package that asks for another one only if it is there', async () => {
    const files: Files = {
      'v.ts': inView(`import { n } from 'lib';`, '({ request }: any) => ({ y: request.x + n })'),
      'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0"}',
      'node_modules/lib/index.js': `let n = 1;\ntry { n = require('not-there').n; } catch {}\nexports.n = n;\nexports.later = () => require('@not/there/either');`,
    };
    expect(await valueOf(files)).toBe(8);
  });

  it('with a package that is set up by a statement', async () => {
    const files: Files = {
      'v.ts': inView(`import lib from 'lib';\nlib.extend(1);`, '({ request }: any) => ({ y: request.x + lib.n() })'),
      'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0"}',
      'node_modules/lib/index.js': 'let n = 0;\nexports.extend = (by) => { n += by; };\nexports.n = () => n;',
    };
    expect(await valueOf(files)).toBe(8);
  });
});

describe('tasks', () => {
  it('may wait, read files and import later', async () => {
    const folder = await writeRepository({
      'p.ts': `${IMPORTS}import { readFile } from 'node:fs/promises';
const p = pipeline('p');
const encoding = 'utf8';
const first = p.step('first', task(async () => (await import('./later.ts')).later));
p.step('second', task(async ({ first }, { params }) => [first, params.a, typeof fetch, (await readFile('/dev/null', encoding)), (await import('node:path')).sep, Date.now() > 0]), { needs: { first } });
export default p;`,
      'later.ts': 'export const later = 5;',
    });
    const definitions = await loadDefinitions(folder, 'p');
    await rm(folder, { recursive: true });
    const travelled = await travel(definitions);
    expect(await callFunction(travelled, 'pipeline/p/first', {}, {})).toBe(5);
    expect(await callFunction(travelled, 'pipeline/p/second', { first: 5 }, { params: { a: 1 } })).toEqual([
      5,
      1,
      'function',
      '',
      '/',
      true,
    ]);
  });
});
