// Loading a feature repository: which files are read, what is collected from them, and what is told of those that fail.

import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importModule, loadDefinitions } from '../../src/definitions/index.ts';
import { travel } from '../support/travelling.ts';
import { callFunction, failureOf, writeFiles, writeRepository } from '../support/written-repository.ts';

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

describe('loading a feature repository', () => {
  it('finds it anywhere, with no node_modules, and follows its imports', async () => {
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
      'views/x.ts': `export { delays } from '../views.ts';`,
      'views.ts': view("d: latest('delay')"),
    });
    const { manifest, directory } = await loadDefinitions(folder, 'flights');
    expect(Object.keys(manifest.views)).toEqual(['delays']);
    expect(directory).toBe(folder);
  });

  it('collects what lies in an exported list or record, and its functions travel', async () => {
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
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
    expect(Object.keys(definitions.manifest.views)).toEqual(['delays_0', 'delays_1']);
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
    expect([Object.keys(manifest.entities), Object.keys(manifest.sources), Object.keys(manifest.views)]).toEqual([
      ['e'],
      ['s'],
      ['v'],
    ]);
  });

  it('reads a changed repository anew, in every file', async () => {
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
      'views.ts': view("d: latest('delay')"),
    });
    const before = await loadDefinitions(folder, 'p');
    await writeFiles(folder, { 'sources.ts': SOURCE.replace('f.parquet', 'g.parquet') });
    const after = await loadDefinitions(folder, 'p');
    expect(after.manifest.sources['flights']?.location['path']).toBe('g.parquet');
    expect(after.hash).not.toBe(before.hash);
    await writeFiles(folder, { 'sources.ts': SOURCE });
    expect((await loadDefinitions(folder, 'p')).hash).toBe(before.hash);
  });

  it('reads it anew through a link too', async () => {
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
      'views.ts': view("d: latest('delay')"),
    });
    const link = join(await writeRepository({}), 'link');
    await symlink(folder, link);
    await loadDefinitions(link, 'p');
    await writeFiles(folder, { 'sources.ts': SOURCE.replace('f.parquet', 'g.parquet') });
    expect((await loadDefinitions(link, 'p')).manifest.sources['flights']?.location['path']).toBe('g.parquet');
  });

  it('gives one hash whatever the order of files and exports', async () => {
    const one = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
      'views.ts': view("d: latest('delay')"),
    });
    const two = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
      'z/late.ts': `export * from '../views.ts';`,
      'a.ts': `export { flights } from './sources.ts';`,
      'views.ts': view("d: latest('delay')"),
    });
    expect((await loadDefinitions(one, 'p')).hash).toBe((await loadDefinitions(two, 'p')).hash);
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

  it('names every file that cannot be read, and where one throws', async () => {
    const folder = await writeRepository({
      'a.ts': 'export const = 3;',
      'b.ts': '\nthrow new Error("no luck");',
      'c.ts': `import './missing.ts';`,
      'd.ts': `import { nothing } from 'headrace';`,
    });
    const { details } = await failureOf(loadDefinitions(folder, 'p'));
    expect(details.map((detail) => detail.path)).toEqual(['a.ts:1:14', 'b.ts:2:7', 'c.ts:1:8', 'd.ts:1:10']);
    expect(details[0]?.message).toContain('cannot be read');
    expect(details[1]?.message).toContain('no luck');
    expect(details[2]?.message).toContain('missing.ts');
    expect(details[3]?.message).toContain('nothing');
  });

  it('blames the broken file once, not those that import it', async () => {
    const folder = await writeRepository({
      'a.ts': `import './lib/z.ts';`,
      'b.ts': `import './a.ts';`,
      'lib/z.ts': 'export const x: = 3;',
      'lib/help.ts': `export function help(): never { throw new Error('no help'); }`,
      'lib/uses.ts': `import { help } from './help.ts';\nhelp();`,
      'y.ts': `import './lib/uses.ts';`,
    });
    const { details } = await failureOf(loadDefinitions(folder, 'p'));
    expect(details.map((detail) => detail.path)).toEqual(['lib/uses.ts:2:1', 'lib/z.ts:1:17']);
  });

  it('names the file of a mistake, and the object', async () => {
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
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
    const folder = await writeRepository({
      'entities.ts': ENTITIES,
      'sources.ts': SOURCE,
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
