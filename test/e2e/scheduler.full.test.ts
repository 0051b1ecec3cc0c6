// `headrace scheduler` on real processes: two of them make one run a tick, one that is killed or stopped leaves its runs to the other.
// twin: test/e2e/scheduler.test.ts > a scheduler makes and drives the runs
// twin: test/contract/schedules.test.ts > runs are started

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { killed, listRuns, type Scheduler, startScheduler, untilSo as until } from '../support/scheduler-process.ts';
import {
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  startServe,
} from '../support/serving-project.ts';

let project: Project;
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await killed(child);
  project.remove();
});

function start(variables: NodeJS.ProcessEnv = {}): Scheduler {
  const scheduler = startScheduler(project, variables);
  children.push(scheduler.process);
  return scheduler;
}

const runs = () => listRuns(project);

/** `options` of a pipeline whose step takes a while. */
function projectOf(options: string, config = ''): Project {
  return createProject({
    'headrace.config.ts': `export default { project: 'p', repo: 'feature_repo', ${config} };`,
    'feature_repo/p.ts': `import { pipeline, task, t } from 'headrace';
      const p = pipeline('often', ${options});
      const first = p.step('first', task(async (_needs, { params }) => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return params.tick;
      }));
      p.step('second', task((needs: { first: unknown }) => needs.first), { needs: { first } });
      export default p;`,
  });
}

it('makes one run a tick where two schedule, and each finishes though one is killed', {
  timeout: 180_000,
}, async () => {
  project = projectOf(`{ schedule: '*/2 * * * * *', params: { tick: t.timestamp() } }`);
  expect(headrace(project, ['apply']).code).toBe(0);
  const both = [start(), start()] as const;
  await until('both drive', () => both.every(({ log }) => /starts$/m.test(log())), both);
  // Stopped, it stays in the midst of what it drives.
  await until(
    'the first is in the midst of a run',
    () => {
      const id = /run (\S+) of often for \S+ starts$/.exec(both[0].log().trim())?.[1];
      if (id === undefined) return false;
      both[0].process.kill('SIGSTOP');
      if (runs().some((run) => run.id === id && run.state === 'running')) return true;
      both[0].process.kill('SIGCONT');
      return false;
    },
    both,
  );
  both[0].process.kill('SIGKILL');
  const killedAt = new Date().toISOString();
  await until('six runs after the kill', () => runs().filter(({ tick }) => (tick ?? '') > killedAt).length > 6, both);
  const made = runs()
    .toSorted((a, b) => ((a.tick ?? '') < (b.tick ?? '') ? -1 : 1))
    .slice(0, -2);
  const ids = new Set(made.map(({ id }) => id));
  await until(
    'all of them ended',
    () => runs().filter(({ id, state }) => ids.has(id) && state === 'succeeded').length === ids.size,
    both,
  );
  const seconds = made.map(({ tick }) => Date.parse(tick ?? '') / 1000);
  expect(seconds).toEqual(seconds.map((_, at) => (seconds[0] ?? NaN) + 2 * at));
  const shown = headraceJson(project, ['runs', 'show', made[0]?.id ?? '']) as { steps: { result: string }[] };
  expect(Date.parse(shown.steps.at(-1)?.result ?? '')).toBe(Date.parse(made[0]?.tick ?? ''));
  expect(both[1].log()).toMatch(/goes on: its driver died$/m);
});

it('lets runs go on SIGTERM, and another goes on with them', { timeout: 120_000 }, async () => {
  project = projectOf(`{ schedule: '*/2 * * * * *', overlap: 'skip', params: { tick: t.timestamp() } }`);
  expect(headrace(project, ['apply']).code).toBe(0);
  const first = start();
  await until('a run', () => first.log().trim().endsWith('starts'), [first]);
  first.process.kill('SIGTERM');
  const [code] = (await once(first.process, 'exit')) as [number | null];
  expect(code, first.log()).toBe(0);
  const id = /run (\S+) of often is let go/.exec(first.log())?.[1] ?? '';
  expect(runs().find((run) => run.id === id)).toMatchObject({ state: 'interrupted' });
  const second = start();
  await until('its end', () => runs().some((run) => run.id === id && run.state === 'succeeded'), [second]);
});

it('runs a pipeline after its view was materialized, once', { timeout: 120_000 }, async () => {
  project = createServingProject();
  project.write(
    'feature_repo/after.ts',
    `import { materialized, pipeline, task } from 'headrace';
      import { history } from './shop.ts';
      const p = pipeline('after', { on: [materialized(history)] });
      p.step('say', task(() => 1));
      export default p;`,
  );
  expect(headrace(project, ['apply']).code).toBe(0);
  expect(headrace(project, ['materialize', '--incremental']).code).toBe(0);
  const scheduler = start();
  await until('the look that first sees it', () => /Scheduling/.test(scheduler.log()), [scheduler]);
  await until('a run', () => {
    expect(headrace(project, ['materialize', '--from', '2020-01-01T00:00:00Z']).code).toBe(0);
    return runs().some(({ state }) => state === 'succeeded');
  }, [scheduler]);
  expect(runs().every(({ pipeline }) => pipeline === 'after')).toBe(true);
});

it('materializes a view by its own schedule, and collects garbage by that of the configuration', {
  timeout: 180_000,
}, async () => {
  project = createServingProject();
  const shop = readFileSync(join(project.directory, 'feature_repo/shop.ts'), 'utf8');
  project.write(
    'feature_repo/shop.ts',
    shop.replace("featureView('history', {", "featureView('history', { schedule: '*/3 * * * * *',"),
  );
  expect(headrace(project, ['apply']).code).toBe(0);
  const gc = { HEADRACE_GC_SCHEDULE: '*/3 * * * * *' };
  const both = [start(gc), start(gc)] as const;
  for (const name of ['materialize:history', 'headrace:gc'])
    await until(
      `${name} twice`,
      () => runs().filter((run) => run.pipeline === name && run.state === 'succeeded').length > 1,
      both,
    );
  const ticks = runs().map(({ pipeline, tick }) => `${pipeline} ${tick}`);
  expect(new Set(ticks).size).toBe(ticks.length);
});

it('is part of a server where that is configured', { timeout: 120_000 }, async () => {
  project = projectOf(`{ schedule: '*/2 * * * * *' }`, 'scheduler: { serve: true }');
  expect(headrace(project, ['apply']).code).toBe(0);
  const server = await startServe(project);
  children.push(server.process);
  await until('a run', () => runs().some(({ state }) => state === 'succeeded'), [server]);
  expect(await server.stop()).toBe(0);
});
