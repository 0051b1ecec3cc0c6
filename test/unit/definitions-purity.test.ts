import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findEffects, isAuthored } from '../../src/definitions/bundling/effects.ts';
import { readModuleGraph } from '../../src/definitions/bundling/module-graph.ts';
import * as repo from '../support/written-repository.ts';

/** A view whose transform is on the fifth line of v.ts, where `before` is one line. */
const view = (transform: string, before = ''): string => `${repo.IMPORTS}${before}\n\n${repo.viewText(transform)}`;

describe('a pure function is refused, with its place, when it reaches', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['the clock', '() => ({ y: Date.now() })', 'Date.now, the clock'],
    ['the time now', '() => ({ y: +new Date() })', 'new Date(), the clock'],
    ['the time now as text', '() => ({ y: Date().length })', 'Date(), the clock'],
    ['Date under another name', '() => { const D = Date; return { y: D.now() }; }', 'Date, the clock'],
    ['performance', '() => ({ y: performance.now() })', 'performance.now, the clock'],
    ['process.hrtime', '() => ({ y: process.hrtime()[0] })', 'process.hrtime, the process'],
    ['chance', '() => ({ y: Math.random() })', 'Math.random, chance'],
    ['chance by destructuring', '() => { const { random } = Math; return { y: random() }; }', 'Math, chance'],
    ['crypto', '() => ({ y: crypto.getRandomValues(new Uint8Array(1))[0] })', 'crypto.getRandomValues, chance'],
    ['fetch', `() => { fetch('x'); return { y: 1 }; }`, 'fetch, the network'],
    ['WebSocket', `() => { new WebSocket('x'); return { y: 1 }; }`, 'WebSocket, the network'],
    ['process.env', `() => ({ y: Number(process.env['X']) })`, 'process.env, the process'],
    ['a timer', '() => { setTimeout(() => {}, 1); return { y: 1 }; }', 'setTimeout, a timer'],
    ['eval', `() => ({ y: eval('1') })`, 'eval, code that is made while it runs'],
    ['Function', `() => ({ y: new Function('return 1')() })`, 'Function, code that is made while it runs'],
    ['globalThis', '() => ({ y: (globalThis as any).x })', 'globalThis.x, the global object'],
    ['an async function', '(async () => ({ y: 1 })) as any', 'an async function'],
    ['a promise', '() => Promise.resolve({ y: 1 }) as any', 'Promise.resolve, but its result must be there at once'],
    ['require', `() => ({ y: require('node:path').sep.length })`, 'require(…)'],
    ['import.meta', '() => ({ y: import.meta.url.length })', 'import.meta'],
    ['a change', '() => { (Array.prototype as any).x = 1; return { y: 1 }; }', 'Array and changes it'],
  ];
  it.each(cases)('%s', async (_, transform, told) => {
    const error = await repo.failureOf(repo.loadFiles({ 'v.ts': view(transform) }));
    const [detail] = error.details;
    const lines = view(transform).split('\n');
    const line = lines.findIndex((text) => text.includes('transform:')) + 1;
    expect(detail).toMatchObject({ file: 'v.ts', line });
    expect(detail?.message).toContain(`the transform of on-demand view "v" reaches ${told}`);
    // Where it stands in the text, though types were stripped before it was read.
    const text = (lines[line - 1] ?? '').slice((detail?.column ?? 0) - 1);
    expect(text.slice(0, 4)).toMatch(
      /^(Date|new |Func|perf|proc|Math|cryp|fetc|WebS|setT|eval|glob|asyn|Prom|requ|impo|Arra)/,
    );
  });

  const modules: readonly (readonly [string, string, string])[] = [
    ['files', `import { readFileSync } from 'node:fs';`, 'readFileSync of node:fs, files'],
    ['files by the short name', `import fs from 'fs';`, 'node:fs, files'],
    ['the network', `import https from 'node:https';`, 'node:https, the network'],
    ['chance', `import { randomUUID } from 'node:crypto';`, 'randomUUID of node:crypto, chance'],
    ['processes', `import { execSync } from 'node:child_process';`, 'execSync of node:child_process, the process'],
  ];
  it.each(modules)('%s, through an import', async (_, imported, told) => {
    const name = imported.split(' ').find((word) => /^(fs|https|readFileSync|randomUUID|execSync)$/.test(word));
    const error = await repo.failureOf(
      repo.loadFiles({ 'v.ts': view(`() => ({ y: Number(typeof ${name}) })`, imported) }),
    );
    expect(error.details[0]).toMatchObject({ file: 'v.ts', line: 5 });
    expect(error.details[0]?.message).toContain(told);
  });

  it('a value that was read from a file when the module was loaded', async () => {
    const files: repo.Files = {
      'v.ts': view('() => ({ y: LIMITS.a })', `import { LIMITS } from './limits.ts';`),
      'limits.ts': `import { readFileSync } from 'node:fs';\nexport const LIMITS = JSON.parse(readFileSync('package.json', 'utf8'));`,
    };
    const error = await repo.failureOf(repo.loadFiles(files));
    expect(error.details).toHaveLength(1);
    expect(error.details[0]).toMatchObject({ path: 'limits.ts:2:34', file: 'limits.ts', line: 2, column: 34 });
    expect(error.details[0]?.message).toContain('Import a JSON file instead');
  });

  it('any of it in a helper of a helper; told once, though two functions reach it', async () => {
    const files: repo.Files = {
      'a.ts': `export const now = () => Date.now();`,
      'b.ts': `import { now } from './a.ts';\nexport const hour = () => now() / 3_600_000;`,
      'v.ts': `${view('() => ({ y: hour() })', `import { hour } from './b.ts';`)}${repo.sourceText('() => hour()')}`,
    };
    const error = await repo.failureOf(repo.loadFiles(files));
    expect(error.details.map(({ path }) => path)).toEqual(['a.ts:1:26']);
  });

  it('a package that reads files', async () => {
    const files: repo.Files = {
      'v.ts': view('() => ({ y: read() })', `import { read } from 'reader';`),
      ...repo.packageOf('reader', `const fs = require('fs');\nexports.read = () => fs.readFileSync('x').length;`),
    };
    const error = await repo.failureOf(repo.loadFiles(files));
    expect(error.details[0]).toMatchObject({ file: 'v.ts', line: 5, column: 97 });
    expect(error.details[0]?.message).toContain('reaches reader@1.0.0, which imports node:fs');
  });

  it('a statement that changes what is everyone’s, wherever it stands', async () => {
    const files: repo.Files = {
      'v.ts': view('() => ({ y: [1].length })'),
      'setup.ts': `Object.assign(Array.prototype, { sum() { return 1; } });`,
    };
    // The statement is run before it is refused.
    onTestFinished(() => void Reflect.deleteProperty(Array.prototype, 'sum'));
    const error = await repo.failureOf(repo.loadFiles(files));
    expect(error.details[0]).toMatchObject({ file: 'setup.ts', line: 1 });
  });
});

describe('a pure function may use', () => {
  const cases: readonly (readonly [string, string, string?])[] = [
    ['a name of its own that hides a global one', '({ request: fetch }: any) => ({ y: fetch.x })'],
    [
      'a helper named as a global',
      '({ request }: any) => ({ y: process(request.x) })',
      'const process = (x: number) => x;',
    ],
    [
      'dates made of something',
      '({ request }: any) => ({ y: request.x + new Date(Date.UTC(1970, 0, 1)).getTime() + Date.parse("1970-01-01T00:00Z") })',
    ],
    ['what a date is', '({ request }: any) => ({ y: request.x + Number((request.x as any) instanceof Date) })'],
    [
      'the rest of Math, Intl, JSON, URL, RegExp',
      '({ request }: any) => ({ y: Math.max(request.x, JSON.parse("1"), new URL("http://a").port.length, /a/.exec("a")!.index, Number(new Intl.NumberFormat("en").format(1))) })',
    ],
    [
      'hashes',
      `({ request }: any) => ({ y: request.x + createHash('sha256').update('a').digest()[0]! - 202 })`,
      `import { createHash } from 'node:crypto';`,
    ],
    ['console', '({ request }: any) => { console.debug; return { y: request.x }; }'],
    ['members named like globals', '({ request }: any) => ({ y: { fetch: request.x, process: 1 }.fetch })'],
  ];
  const whole = cases.map(([name, transform, before = '']) => [name, transform, before] as const);
  it.each(whole)('%s', async (_name, transform, before) => {
    const definitions = await repo.loadFiles({ 'v.ts': view(transform, before) });
    expect(repo.callFunction(definitions, 'onDemand/v', { request: { x: 7 } })).toEqual({ y: 7 });
  });

  it('nothing of what its file does besides', async () => {
    const files: repo.Files = {
      'v.ts': `${repo.IMPORTS}import { readFileSync } from 'node:fs';
export const now = Date.now();
export const text = readFileSync('package.json', 'utf8');
console.log;
${repo.viewText('({ request }) => ({ y: request.x })')}`,
    };
    expect(repo.callFunction(await repo.loadFiles(files), 'onDemand/v', { request: { x: 7 } })).toEqual({ y: 7 });
  });
});

describe('code that no bundle can hold is refused', () => {
  it('a native module, by its package', async () => {
    for (const index of [
      `module.exports = require('./build/lib.node');`,
      `module.exports = require('bindings')('lib');`,
    ]) {
      const files: repo.Files = {
        'p.ts': `${repo.IMPORTS}import { run } from 'native';\nconst p = pipeline('p');\np.step('a', task(() => run()));\nexport default p;`,
        ...repo.packageOf('native', `exports.run = () => require('./load.js');`),
        'node_modules/native/load.js': index,
        ...repo.packageOf('bindings', 'module.exports = (name) => 1;'),
      };
      const error = await repo.failureOf(repo.loadFiles(files));
      expect(error.details[0]).toMatchObject({ file: 'p.ts', line: 4, column: 24 });
      expect(error.details[0]?.message).toMatch(
        /the task of step "a" in pipeline "p" reaches (native|bindings)@1.0.0, which loads a native module/,
      );
    }
  });

  it('imports of computed names, the user’s and a package’s', async () => {
    const task = (text: string): string =>
      `${repo.IMPORTS}const name = './x.ts' as string;\nconst p = pipeline('p');\np.step('a', task(${text}));\nexport default p;`;
    const own = await repo.failureOf(repo.loadFiles({ 'p.ts': task('async () => await import(name)') }));
    expect(own.details[0]).toMatchObject({ file: 'p.ts', line: 4, column: 36 });
    expect(own.details[0]?.message).toContain('computed name');
    const files: repo.Files = {
      'p.ts': task('() => load()').replace('const name', `import { load } from 'loads';\nconst name`),
      ...repo.packageOf('loads', 'exports.load = (name) => require(name);'),
    };
    expect((await repo.failureOf(repo.loadFiles(files))).details[0]?.message).toContain(
      'loads@1.0.0, which imports a module whose name it computes',
    );
  });

  it('a value that was awaited when the module was loaded', async () => {
    const error = await repo.failureOf(repo.loadFiles({ 'v.ts': view('() => ({ y: n })', 'const n = await 5;') }));
    expect(error.details[0]).toMatchObject({ file: 'v.ts', line: 2, column: 11 });
  });
});

it('tells mistakes of code along with all others', async () => {
  const files: repo.Files = {
    'v.ts': view('() => ({ y: Date.now() })'),
    's.ts': `${repo.IMPORTS}${repo.sourceText('(row) => row.delay').replace(`eventTime: 'at'`, `eventTime: 'att' as any`)}`,
  };
  const { details } = await repo.failureOf(repo.loadFiles(files));
  expect(details.map(({ file }) => file)).toEqual(['s.ts', 'v.ts']);
});

// Which statements at the top level of a module may change what a name stands for.
/** Of a module that exports `m`: whether that is an object of the authoring API, and the statements that may change it. */
async function read(statements: string) {
  const text = `import { pipeline } from 'headrace';\n${statements}`;
  const folder = await repo.writeRepository({ 'm.js': text });
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
