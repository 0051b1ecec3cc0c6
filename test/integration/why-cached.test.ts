// Why a cached step was run: `runs show --why` names a part that differs, or else what became of the result.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CacheReads } from '../../src/orchestrator/index.ts';
import { runPipeline, whyStep } from '../../src/orchestrator/index.ts';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { ownProject } from '../support/opened.ts';

const source = (options: string): string => `
  import { appendFileSync, existsSync } from 'node:fs';
  import { grid, pipeline, task, t } from 'headrace';
  export const p = pipeline('p', { params: { seed: t.int32().default(7) } });
  p.step('s', task((_needs, { item }) => {
    appendFileSync('__PROJECT__/marks.txt', JSON.stringify(item) + '\\n');
    if (existsSync('__PROJECT__/fails')) throw new Error('it fails');
    return item;
  }), { ${options} });`;

/** `reads`: what the step goes by outside of its order, which a test changes. */
async function open(text: string) {
  const world: { reads: CacheReads } = { reads: { reads: {} } };
  const project = await ownProject({ 'p.ts': text }, { isInline: true, cacheReads: async () => world.reads });
  let { deps } = project;
  const path = (name: string): string => join(project.directory, name);
  return {
    world,
    path,
    /** How many tasks were run since, and how many were copied, with why. */
    async run(params: Readonly<Record<string, unknown>> = {}) {
      const before = existsSync(path('marks.txt')) ? readFileSync(path('marks.txt'), 'utf8').split('\n').length - 1 : 0;
      let id = '';
      await runPipeline(deps, { pipeline: 'p', params, onStart: (started) => (id = started) }).catch(() => undefined);
      const after = existsSync(path('marks.txt')) ? readFileSync(path('marks.txt'), 'utf8').split('\n').length - 1 : 0;
      const { copied, differences, reason, comparedWith } = await whyStep(deps, id, 's');
      return { id, ran: after - before, copied, parts: differences.map(({ part }) => part), reason, comparedWith };
    },
    async apply(changed: string) {
      writeFileSync(path('repo/p.ts'), changed.replaceAll('__PROJECT__', project.directory));
      deps = { ...deps, definitions: await loadDefinitions(path('repo'), 'test') };
    },
  };
}

const CACHED = 'foreach: [1, 2], cache: true';

describe('a cached step that was run', () => {
  it('for the first time has no run before it', async () => {
    const { run } = await open(source(CACHED));
    expect(await run()).toMatchObject({ ran: 2, copied: 0, parts: [], comparedWith: null, reason: undefined });
    expect(await run()).toMatchObject({ ran: 0, copied: 2, parts: [], reason: undefined });
  });

  it('by another interpreter, or other data, says so by its name', async () => {
    const { run, world } = await open(source(CACHED));
    world.reads = { reads: { 'machine.python': '3.11.7' } };
    await run();
    world.reads = { reads: { 'machine.python': '3.11.2', spine: ['a'] } };
    expect(await run()).toMatchObject({ ran: 2, copied: 0, parts: ['machine.python', 'spine'] });
  });

  it('after its grid grew runs what is new alone, and names it', async () => {
    const { run, apply } = await open(source('foreach: grid({ a: [1, 2], b: [1, 2] }), cache: true'));
    expect(await run()).toMatchObject({ ran: 4 });
    for (const axes of ['{ a: [1, 2], b: [1, 2, 3] }', '{ a: [0, 1, 2], b: [1, 2, 3] }']) {
      await apply(source(`foreach: grid(${axes}), cache: true`));
      const grown = axes.includes('[0') ? 3 : 2;
      expect(await run()).toMatchObject({ ran: grown, copied: axes.includes('[0') ? 6 : 4, parts: ['item'] });
    }
  });

  it('with its index in the key runs what has moved', async () => {
    const { run, apply } = await open(source('foreach: [1, 2], cache: true, index: true'));
    await run();
    await apply(source('foreach: [0, 1, 2], cache: true, index: true'));
    expect(await run()).toMatchObject({ ran: 3, copied: 0, parts: ['item'] });
    await apply(source('foreach: [1, 0, 2], cache: true, index: true'));
    expect(await run()).toMatchObject({ ran: 1, copied: 2, parts: ['item'] });
  });

  it('takes equal items from one result', async () => {
    const { run, apply } = await open(source('foreach: [5], cache: true'));
    await run();
    await apply(source('foreach: [5, 5, 5], cache: true'));
    expect(await run()).toMatchObject({ ran: 0, copied: 3 });
  });

  it('after one that failed says so, also of one that was caught', async () => {
    const { run, path, apply } = await open(source('foreach: [1], cache: true'));
    writeFileSync(path('fails'), '');
    const failed = await run();
    await apply(source('foreach: [1], cache: true, catch: true'));
    const caught = await run();
    expect(caught.reason).toBe(`the same task of run ${failed.id} had not succeeded: it is failed.`);
    await apply(source('foreach: [1], cache: true'));
    rmSync(path('fails'));
    const last = await run();
    expect(last).toMatchObject({ ran: 1, copied: 0, parts: [] });
    expect(last.reason).toBe(`the same task of run ${caught.id} had failed, and its step has \`catch\`.`);
  });

  it('says so where what it read changed while it ran', async () => {
    const { run, world } = await open(source('foreach: [1], cache: true'));
    let asked = 0;
    const steady = { reads: { spine: 'a' } };
    Object.defineProperty(world, 'reads', { get: () => (asked++ === 1 ? { reads: { spine: 'b' } } : steady) });
    const first = await run();
    const second = await run();
    expect(second).toMatchObject({ ran: 1, copied: 0, parts: [] });
    expect(second.reason).toContain(`the same task of run ${first.id} succeeded, but its result was not kept any more`);
    expect(await run()).toMatchObject({ ran: 0, copied: 1 });
  });

  it('says where its cache is off, or was', async () => {
    const { run, world } = await open(source('foreach: [1], cache: true'));
    await run();
    world.reads = { reads: {}, off: 'source "s" lies in a database' };
    expect(await run()).toMatchObject({ ran: 1, reason: 'Its cache is off: source "s" lies in a database.' });
    world.reads = { reads: { spine: 'a' } };
    expect(await run()).toMatchObject({
      ran: 1,
      reason: 'Its cache was off in that run: source "s" lies in a database.',
    });
  });

  it('says that it is not cached, or was not', async () => {
    const { run, apply } = await open(source('foreach: [1]'));
    await run();
    expect((await run()).reason).toBe('The step has no `cache: true`, so that it is run each time.');
    await apply(source('foreach: [1], cache: true'));
    expect((await run()).reason).toBe('The step had no `cache: true` in that run, which kept no result of it.');
    expect(await run({ seed: 8 })).toMatchObject({ ran: 1, parts: ['params.seed'], reason: undefined });
  });
});
