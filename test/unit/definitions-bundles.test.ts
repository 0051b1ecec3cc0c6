// Bundles as they are stored and fetched: their bytes, what is told of missing ones, what they may see.

import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import {
  compileDefinitions,
  type Definitions,
  functionOf,
  loadBundled,
  type LoadedBundle,
  loadDefinitions,
} from '../../src/definitions/index.ts';
import { onDemandView, t } from '../../src/index.ts';
import { missing, travel } from '../support/travelling.ts';
import {
  callFunction,
  failureOf,
  type Files,
  functionRefs,
  IMPORTS,
  loadFiles,
  sourceText,
  viewText,
  writeRepository,
} from '../support/written-repository.ts';

const V = 'onDemand/v';
const D = 'source/s/derive/d';

const inView = (before: string, transform: string): string => `${IMPORTS}${before}\n${viewText(transform)}`;

describe('bundles', () => {
  const files: Files = {
    'v.ts':
      inView(
        `import { late } from './rules.ts';\nimport { two } from 'lib';`,
        '({ request }) => ({ y: late(request.x) ? two : 0 })',
      ) + sourceText('(row) => late(row.delay) ? 1 : 0'),
    'rules.ts': 'export const late = (x: number | null) => x != null && x > 15;',
    'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0"}',
    'node_modules/lib/index.js': `exports.two = require('./deep/two');`,
    'node_modules/lib/deep/two.js': 'module.exports = 2;',
  };

  it('have equal bytes wherever the repository lies', async () => {
    const one = await loadFiles(files);
    const two = await loadFiles(files);
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
    const folder = await writeRepository(inFolder);
    expect((await loadDefinitions(`${folder}/repo`, 'p')).hash).toBe(one.hash);
  });

  it('that were altered are not run', async () => {
    const definitions = await loadFiles(files);
    const altered = new Map([...definitions.bundles].map(([hash, code]) => [hash, `${code} `]));
    const error = await failureOf(travel(definitions, altered), 'HR_CODE_ALTERED');
    expect(error.message).toContain('headrace apply');
  });

  it('that are missing are told by the function', async () => {
    const definitions = await loadFiles(files);
    const transform = functionRefs(definitions)[V]?.bundle;
    const kept = new Map([...definitions.bundles].filter(([hash]) => hash !== transform));
    const error = await failureOf(travel(definitions, kept), 'HR_CODE_MISSING');
    expect(error.message).toContain('the transform of on-demand view "v"');
    expect(error.message).toContain('the artifact store (file:/artifacts)');
    expect(error.message).toContain('headrace apply');
    // Definitions that were loaded without it say so whenever it is wanted.
    const lost = new Map([[V, error]]);
    expect(() => functionOf({ functions: new Map(), lost }, { id: V })).toThrow(error.message);
  });

  it('are there only for those that are wanted', async () => {
    const definitions = await loadFiles(files);
    const wanted = await travel(definitions, definitions.bundles, (id) => id === D);
    expect([...wanted.functions.keys()]).toEqual([D]);
    expect(wanted.bundles.size).toBe(1);
  });

  it('that were never made say to apply again', async () => {
    const v = onDemandView('v', {
      inputs: { request: { x: t.float64() } },
      features: { y: t.float64() },
      transform: ({ request }) => ({ y: request.x }),
    });
    const definitions = compileDefinitions([{ file: 'v.ts', name: 'v', value: v }], { project: 'p', directory: '/' });
    expect(definitions.bundles.size).toBe(0);
    expect((await failureOf(travel(definitions), 'HR_CODE_MISSING')).message).toContain('headrace apply');
  });

  it('are fetched and run once for all loads that share a cache', async () => {
    const definitions = await loadFiles(files);
    const cache = new Map<string, Promise<LoadedBundle>>();
    let fetched = 0;
    const load = (): Promise<Definitions> =>
      loadBundled(definitions.manifest, definitions.hash, {
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
    const definitions = await loadFiles({ 'v.ts': inView('', '({ request }) => ({ y: (request.x as any).no.no })') });
    const error = (() => {
      try {
        return callFunction(definitions, V, { request: { x: 1 } });
      } catch (thrown) {
        return thrown;
      }
    })() as Error;
    expect(error.stack).toContain('headrace:onDemand/v');
    expect(error).toBeInstanceOf(TypeError);
  });

  it('find no clock, network or process', async () => {
    const definitions = await loadFiles({
      'v.ts': inView(`import * as lib from 'lib';`, '() => ({ y: lib.found() })'),
      'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0"}',
      'node_modules/lib/index.js': `exports.found = () => [typeof fetch, typeof process, typeof crypto, typeof setTimeout, typeof performance, typeof Buffer, typeof URL].join();`,
    });
    expect(callFunction(definitions, V)).toEqual({
      y: 'undefined,undefined,undefined,undefined,undefined,function,function',
    });
  });
});
