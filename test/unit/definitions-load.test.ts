// Loading a feature repository: which files are read, what is collected from them, and what is told of those that fail.

import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importModule, loadDefinitions } from '../../src/definitions/index.ts';
import { travel } from '../support/travelling.ts';
import {
  callFunction,
  failureOf,
  type Files,
  loadingError,
  loadingMistakes,
  writeFiles,
  writeRepository,
} from '../support/written-repository.ts';

const ENTITIES = `import { entity, t } from 'headrace';
export const airport: ReturnType<typeof entity> = entity('airport', { keys: { airport: t.string() } });`;
const SOURCE = `import { parquet, t } from 'headrace';
export const flights = parquet('flights', {
  path: 'f.parquet', columns: { airport: t.string(), delay: t.float64(), at: t.timestamp() }, eventTime: 'at',
});`;
const view = (feature: string) => `import { featureView, latest, mean } from 'headrace';
import { airport } from './entities.ts';
import { flights } from './sources.ts';
export const delays = featureView('delays', { entity: airport, source: flights, features: { ${feature} } });`;

const repository = (more: Files = {}): Promise<string> =>
  writeRepository({ 'entities.ts': ENTITIES, 'sources.ts': SOURCE, 'views.ts': view("d: latest('delay')"), ...more });

describe('loading a feature repository', () => {
  it('finds it anywhere, with no node_modules, and follows its imports', async () => {
    const folder = await repository({
      'views/x.ts': `export { delays } from '../views.ts';`,
    });
    const { manifest, directory } = await loadDefinitions(folder, 'flights');
    expect(Object.keys(manifest.views)).toEqual(['delays']);
    expect(directory).toBe(folder);
  });

  it('collects what lies in an exported list or record, and its functions travel', async () => {
    const folder = await repository({
      'many.ts': `import { featureView, latest, max, onDemandView, t } from 'headrace';
import { airport } from './entities.ts';
import { flights } from './sources.ts';
export const views = [latest('delay'), max('delay').over('7d')].map((d, at) =>
  featureView(\`delays_\${at}\`, { entity: airport, source: flights, features: { d } }));
export const later = {
  twice: onDemandView('twice', {
    inputs: { request: { x: t.float64() } }, features: { y: t.float64() },
    transform: ({ request }) => ({ y: request.x == null ? null : request.x * 2 }),
  }),
  limit: 5,
};`,
    });
    const definitions = await loadDefinitions(folder, 'p');
    expect(Object.keys(definitions.manifest.views)).toEqual(['delays', 'delays_0', 'delays_1']);
    expect(Object.keys(definitions.manifest.onDemandViews)).toEqual(['twice']);
    const travelled = await travel(definitions);
    expect(callFunction(travelled, 'onDemand/twice', { request: { x: 4 } })).toEqual({ y: 8 });
  });

  it('collects what is reachable but not exported', async () => {
    const folder = await writeRepository({
      'all.ts': `import { entity, featureService, featureView, latest, parquet, t } from 'headrace';
const e = entity('e', { keys: { id: t.int64() } });
const s = parquet('s', { path: 'x', columns: { id: t.int64(), v: t.float64(), at: t.timestamp() }, eventTime: 'at' });
const v = featureView('v', { entity: e, source: s, features: { v: latest('v') } });
export const service = featureService('svc', [v.as('role', { id: 'the_id' })]);`,
    });
    const { manifest } = await loadDefinitions(folder, 'p');
    const { entities, sources, views } = manifest;
    expect([entities, sources, views].flatMap((specs) => Object.keys(specs))).toEqual(['e', 's', 'v']);
  });

  it('reads a changed repository anew, in every file', async () => {
    const folder = await repository();
    const before = await loadDefinitions(folder, 'p');
    await writeFiles(folder, { 'sources.ts': SOURCE.replace('f.parquet', 'g.parquet') });
    const after = await loadDefinitions(folder, 'p');
    expect(after.manifest.sources['flights']?.location['path']).toBe('g.parquet');
    expect(after.hash).not.toBe(before.hash);
    await writeFiles(folder, { 'sources.ts': SOURCE });
    expect((await loadDefinitions(folder, 'p')).hash).toBe(before.hash);
  });

  it('reads it anew through a link too', async () => {
    const folder = await repository();
    const link = join(await writeRepository({}), 'link');
    await symlink(folder, link);
    await loadDefinitions(link, 'p');
    await writeFiles(folder, { 'sources.ts': SOURCE.replace('f.parquet', 'g.parquet') });
    expect((await loadDefinitions(link, 'p')).manifest.sources['flights']?.location['path']).toBe('g.parquet');
  });

  it('leaves out tests, configuration, data and hidden folders', async () => {
    const bad = 'throw new Error("must not be imported");';
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'x.test.ts': bad,
      'headrace.config.ts': bad,
      'data/y.ts': bad,
      '.cache/z.ts': bad,
      'node_modules/m/i.js': bad,
      'types.d.ts': 'syntax error',
    });
    expect(Object.keys((await loadDefinitions(folder, 'p')).manifest.entities)).toEqual(['airport']);
  });

  it('names the file of a mistake, and the object', async () => {
    const folder = await repository({
      'views.ts': view("d: latest('dely'), m: mean('airport').over('7x')"),
    });
    const error = await failureOf(loadDefinitions(folder, 'p'));
    expect(error.details.map((detail) => detail.path)).toEqual(
      [103, 120, 136].map((column) => `views.ts:4:${column}: feature view "delays"`),
    );
    expect(error.message).toContain('Did you mean "delay"?');
  });

  it('says so when there is no such folder', async () => {
    expect((await failureOf(loadDefinitions('/no/such/folder', 'p'))).message).toContain('headrace init');
  });

  it('accepts imports without an extension', async () => {
    const folder = await repository({
      'views.ts': view("d: latest('delay')")
        .replace('./entities.ts', './entities')
        .replace('./sources.ts', './sources.js'),
    });
    expect(Object.keys((await loadDefinitions(folder, 'p')).manifest.views)).toEqual(['delays']);
  });

  it('imports one module for the configuration', async () => {
    const folder = await writeRepository({
      'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'flights' });`,
    });
    expect(await importModule(join(folder, 'headrace.config.ts'))).toMatchObject({ default: { project: 'flights' } });
  });
});

// Each mistake is told with its file, line and column: those of the part at fault where the text shows it.
const BASE = `import { entity, parquet, t } from 'headrace';
export const airport = entity('airport', { keys: { airport: t.string() } });
export const flights = parquet('flights', {
  path: 'f.parquet',
  columns: { origin: t.string(), delay: t.float64(), at: t.timestamp() },
  eventTime: 'at',
});
`;
const IMPORTS = `import {
  container, count, endpoint, entity, featureService, featureView, grid, latest, lastN, mean, model, onDemandView, parquet,
  pipeline, python, shell, t, task, trainingSet,
} from 'headrace';
import { airport, flights } from './base.ts';
`;
const MADE = 'entity: airport, source: flights, keys: { airport: "origin" }';

/** Where the marks » stand in the text: line and column of each, and the text without them. */
function marked(text: string): { readonly text: string; readonly places: readonly string[] } {
  const places: string[] = [];
  const lines = text.split('\n').map((line, at) => {
    let rest = line;
    for (let mark = rest.indexOf('»'); mark >= 0; mark = rest.indexOf('»')) {
      places.push(`${at + 1}:${mark + 1}`);
      rest = rest.slice(0, mark) + rest.slice(mark + 1);
    }
    return rest;
  });
  return { text: lines.join('\n'), places };
}

/** Checks that the mistakes of the file are where its marks are. */
async function expectAtMarks(code: string): Promise<void> {
  const { text, places } = marked(`${IMPORTS}${code}`);
  const found = await loadingMistakes({ 'base.ts': BASE, 'views/x.ts': text.replace('./base.ts', '../base.ts') });
  const got = found.map(({ file, line, column, message }) => ({ at: `${line}:${column}`, file, message }));
  expect(
    got.map(({ at }) => at),
    JSON.stringify(got, null, 1),
  ).toEqual(places);
  for (const { file } of got) expect(file).toBe('views/x.ts');
}

describe('a mistake stands where', () => {
  const cases: Readonly<Record<string, string>> = {
    'an option is unknown': `export const v = featureView('v', { ${MADE}, »tll: '30d', features: { n: count().over('1d') } });`,
    'an option is wrong': `export const v = featureView('v', {
  ${MADE},
  »ttl: '30 days',
  features: { n: count().over('1d') },
});`,
    'a name is': `export const v = featureView(»'my view', { ${MADE}, features: { n: count().over('1d') } });`,
    'a feature has no window': `export const v = featureView('v', { ${MADE}, features: { n: count().over('1d'), »m: mean('delay') } });`,
    'a column is unknown': `export const v = featureView('v', { ${MADE}, features: {
    last: latest(»'dely'),
    m: mean(»'dlay').over('7d').default(0),
  } });`,
    'a window, a hop, a default, a number are wrong': `export const v = featureView('v', { ${MADE}, features: {
    a: mean('delay').over(»'7 d'),
    b: mean('delay').over('7d', { »hop: '9d' }),
    c: mean('delay').over('7d', { »hopp: '1d' }).default(1),
    d: latest('delay').default(»'x' as never),
    e: lastN('delay', »0).over('7d'),
  } });`,
    'a key is': `export const v = featureView('v', { entity: airport, source: flights, keys: { airport: 'origin', »airprt: 'origin' }, features: { n: count().over('1d') } });`,
    'text and types stand before': `const é: string = 'ü𝒳', x = 1 as unknown as string; export const v = featureView('v', { ${MADE}, features: { n: latest<'dely'>(»'dely') } });`,
    'a source has it': `export const s = parquet('s', {
  path: 'x', columns: { »id: t.string, at: t.timestamp() } as never, »eventTime: 'att',
  knownTime: { after: '5m', »afer: 1 } as never,
});`,
    'a service lists it': `const v = featureView('v', { ${MADE}, features: { n: count().over('1d') } });
export const s = featureService('s', [
  v,
  »3 as never,
  v.as('role', { »airprt: 'x', airport: 'y' } as never),
  v.as('other', { airport: 'z' }).pick('n', »'m' as never),
]);`,
    'a step or a group has it': `const p = pipeline('p', { »catchUp: 'some' as never, »on: 3 as never });
const a = p.step('a', task(() => 1), {
  retry: { times: 2, »jitter: 7 },
  secrets: { »KEY: 'abc' as never },
  env: { »'my-mode': 'x' },
});
let inner: typeof a = a;
p.foreach('g', [1], (q) => {
  inner = q.step('b', shell('make', { »files: 'x' as never }), { needs: { a }, »when: 3 as never });
  return inner;
});
p.foreach('h', »'abc' as never, (q) => q.step('c', container({ »image: '' })));
p.foreach('i', [1], »() => a);
p.step('d', task(() => 1), { needs: { »inner } });
export default p;`,
    'an on-demand view has it': `export const o = onDemandView('o', {
  inputs: { r: { »x: 3 } as never },
  features: { y: t.float64() },
  »transform: 3 as never,
});`,
    'an endpoint has it': `const v = featureView('v', { ${MADE}, features: { n: count().over('1d') } });
const m = model('m', { features: featureService('s', [v]), outputs: { p: t.float32() } });
export const e = endpoint('e', { model: m, unit: ['airport', »'airprt' as never], });`,
    'a step has it': `const p = pipeline('p', { »schedule: 'daily' });
const one = p.step('one', python('x.py', { »arg: 1, args: {} } as never), { »retry: -1, resources: { »cpu: 0 } });
p.step('two', task(() => 1), { needs: { one, »other: 'none' as never }, foreach: grid({ a: [1, »Infinity] }) });
p.step(»'two', task(() => 1));
export default p;`,
    'promote(…) has it': `import { promote, rollout } from 'headrace';
const v = featureView('v', { ${MADE}, features: { n: count().over('1d') } });
const [m, n] = ['m', 'n'].map((name) => model(name, { features: featureService(name, [v]), outputs: { p: t.float32() } }));
const [e, f] = [endpoint('e', { model: m }), endpoint('f', { model: n })];
const plan = rollout('plan', { endpoint: f });
const p = pipeline('p');
p.step('a', promote(»3 as never, { alias: 'champion' }));
p.step('b', promote(m, { »alias: '' }));
p.step('c', promote(m, »{ alias: 'champion', endpoint: e } as never));
p.step('d', promote(m, { »endpoint: f }));
p.step('e', promote(m, { endpoint: e, »plan }));
export default p;`,
    'a const holds it': `const features = { last: latest(»'dely') };
const shared = { ${MADE}, »ttl: 'long' };
export const v = featureView('v', { ...shared, features });`,
    'a factory makes it': `const make = (name: string, column: string) =>
  featureView(name, { ${MADE}, features: { n: latest(»column) } } as never);
export const a = make('a', 'x');`,
    'no text shows the part: what holds it': `const members = () => ({ n: latest('dely') });
export const v = featureView('v', { ${MADE}, »features: Object.freeze(members()) });
const options = JSON.parse('{"keys": {}, "key": 1}');
export const e = entity('e', »»options);`,
  };

  it.each(Object.entries(cases))('%s', async (_name, code) => {
    await expectAtMarks(code);
  });

  it('an object is, when all of it is meant', async () => {
    const { text, places } = marked(`${IMPORTS}export const p = »pipeline('p');\n`);
    expect(await loadingMistakes({ 'base.ts': BASE, 'x.ts': text })).toEqual([
      {
        path: `x.ts:${places[0]}: pipeline "p"`,
        message: "it has no steps: add one with .step('name', …)",
        file: 'x.ts',
        line: 6,
        column: 18,
      },
    ]);
  });

  it('the object was made, whichever file exports it', async () => {
    const { details, message } = await loadingError({
      'a.ts': `export { v } from './lib/views.ts';`,
      'base.ts': BASE,
      'lib/views.ts': `${IMPORTS.replace('./base', '../base')}export const v = featureView('v', { ${MADE}, features: {} });`,
    });
    const expected = { file: 'lib/views.ts', line: 6, path: expect.stringMatching(/^lib\/views.ts:6:\d+: /) };
    expect(details[0]).toMatchObject(expected);
    expect(message).toMatch(
      /^the feature repository has one mistake:\n  - lib\/views\.ts:6:\d+: feature view "v": it has no/,
    );
  });

  it('the repository is, through a link too', async () => {
    const folder = await writeRepository({
      'x.ts': `import { pipeline } from 'headrace';\nexport default pipeline('p');`,
    });
    await symlink(folder, `${folder}/link`);
    await expect(loadDefinitions(`${folder}/link`, 'p')).rejects.toMatchObject({
      details: [{ file: 'x.ts', line: 2, column: 16 }],
    });
  });

  it('both are: two objects of one name', async () => {
    const details = await loadingMistakes({
      'base.ts': BASE,
      'a.ts': `import { entity, t } from 'headrace';\n\nexport const a = entity('airport', { keys: { id: t.int32() } });`,
    });
    expect(details).toMatchObject([
      { file: 'base.ts', line: 2, column: 31, message: expect.stringContaining('another entity in a.ts:3:25. Rename') },
    ]);
  });

  it('they come in the order of the files', async () => {
    const bad = (
      line: number,
    ): string => `import { entity, t } from 'headrace';${'\n'.repeat(line)}entity('x y', { keys: { id: t.int32() } });
export const a = entity('a b', { keys: { id: t.int32() } });`;
    const details = await loadingMistakes({ 'b.ts': bad(12), 'a.ts': bad(2).replace('a b', 'c d') });
    expect(details.map(({ path }) => path)).toEqual(['a.ts:4:25: entity "c d"', 'b.ts:14:25: entity "a b"']);
  });

  it('it is not known: objects in memory, whose file is all that is told', async () => {
    const { compileDefinitions } = await import('../../src/definitions/index.ts');
    const { pipeline } = await import('../../src/index.ts');
    const exports = [{ file: 'x.ts', name: 'p', value: pipeline('p') }];
    expect(() => compileDefinitions(exports, { project: 'p', directory: '/repo' })).toThrow(
      expect.objectContaining({
        details: [{ path: 'x.ts: pipeline "p"', message: expect.stringContaining('no steps'), file: 'x.ts' }],
      }),
    );
  });
});

describe('a file that cannot be imported', () => {
  const at = async (files: Readonly<Record<string, string>>): Promise<readonly string[]> =>
    (await loadingMistakes(files)).map(({ path, message }) => `${path} ${message}`);

  it('is told with the place of its syntax error', async () => {
    expect(
      await at({
        'a.ts': `import { t } from 'headrace';\nexport const = 3;`,
        'b.js': 'export const a = 1;\n  export const b = = 3;',
        'c.ts': 'const a = 1; void a;\nconst b: number = 2; const a = b;',
        'd.ts': '\n  enum A { B }',
        'e.ts': `import { t } from 'headrace';\nimport { nothing } from 'headrace';`,
      }),
    ).toEqual([
      expect.stringMatching(/^a\.ts:2:14 it cannot be read: Unexpected token/),
      expect.stringMatching(/^b\.js:2:20 it cannot be read: Unexpected token/),
      expect.stringMatching(/^c\.ts:2:28 it cannot be read: Identifier 'a' has already been declared/),
      expect.stringMatching(/^d\.ts:2:3 it cannot be read: TypeScript enum is not supported/),
      expect.stringMatching(/^e\.ts:2:10 it cannot be read: .*does not provide an export named 'nothing'/),
    ]);
  });

  it('is told once, under its own name, when others import it', async () => {
    const files = { 'a.ts': `import './lib/b.js';`, 'lib/b.js': `import './c.js';`, 'lib/c.js': 'let a; let a;' };
    expect(await at(files)).toEqual([expect.stringMatching(/^lib\/c\.js:1:12 it cannot be read: Identifier 'a'/)]);
    expect(await at({ 'a.ts': `export * from './data/c.js';`, 'data/c.js': '\nlet a, a;' })).toEqual([
      expect.stringMatching(/^data\/c\.js:2:8 it cannot be read/),
    ]);
  });

  it('is told with the place where it throws, and where that comes from', async () => {
    expect(
      await at({
        'a.ts': '\nconst a = 1 as number; throw new Error("no luck: " + a);',
        'b.ts': `import { help } from './lib/help.ts';\n\nhelp();`,
        'lib/help.ts': 'export function help(): never {\n  throw new TypeError("no help");\n}',
        'c.ts': 'throw 3;',
        'd.ts': 'throw new Error("two\\nlines");',
      }),
    ).toEqual([
      'a.ts:2:30 it threw while it was imported: no luck: 1',
      'b.ts:3:1 it threw while it was imported: no help (thrown in lib/help.ts:2:9)',
      'c.ts it threw number 3 while it was imported',
      'd.ts:1:7 it threw while it was imported: two lines',
    ]);
  });

  it('is told with the import that leads nowhere', async () => {
    expect(
      await at({
        'a.ts': `import { t } from 'headrace';\nimport { x } from './missing.ts';`,
        'b.ts': `\nimport x from 'no-such-package/part';`,
        'c.ts': `import x from '@no/such';`,
        'lib/d.ts': `export * from '../nope.js';`,
      }),
    ).toEqual([
      expect.stringMatching(/^a\.ts:2:19 it threw while it was imported: Cannot find module 'missing.ts'/),
      expect.stringMatching(/^b\.ts:2:15 .*Cannot find package 'no-such-package'/),
      expect.stringMatching(/^c\.ts:1:15 .*Cannot find package '@no\/such'/),
      expect.stringMatching(/^lib\/d\.ts:1:15 .*Cannot find module 'nope.js'/),
    ]);
  });
});

it('files that import each other in a circle are told as that', async () => {
  const [first, ...others] = await loadingMistakes({
    'a.ts': `import { two } from './b.ts';\nexport const one = 1;\nexport { two };`,
    'b.ts': `import { one } from './a.ts';\nexport const two = one + 1;`,
  });
  expect(others).toEqual([]);
  expect(first).toMatchObject({ path: 'b.ts:2:20' });
  expect(first?.message).toBe(
    'it uses "one" before it is made: files import each other in a circle, or it is declared further down. Move it into a file of its own, or up',
  );
});
