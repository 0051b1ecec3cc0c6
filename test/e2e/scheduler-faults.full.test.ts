// Two schedulers, one of which is stopped or killed, or by another clock, or without a database: each tick has one run, and none is lost.
// twin: test/contract/schedules.test.ts > runs are made
// twin: test/contract/triggers.test.ts > makes one run for what came since they were first seen, or since the run before

import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_SECOND, systemClock } from '../../src/core/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { ListedRun, RunStore } from '../../src/orchestrator/rows/run-store.ts';
import { openSchedules } from '../../src/orchestrator/schedule/schedule-rows.ts';
import type { SchedulerRows } from '../../src/orchestrator/schedule/scheduler-rows.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { durableDatabase, findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { killed, removeOnceStill, type Scheduler, startScheduler, untilSo } from '../support/scheduler-process.ts';
import { createServingProject, headrace, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const CLOCK = new URL('../support/clock-of-file.mjs', import.meta.url).href;
const HOUR_MS = 3_600_000;
const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres)
  skipBecause('schedulers through faults on Postgres: no initdb and postgres found (Debian: postgresql)');

const OFTEN = `import { pipeline, pushed, task } from 'headrace';
  import { purchases } from './shop.ts';
  const p = pipeline('often', { schedule: '*/2 * * * * *' });
  p.step('say', task(() => 1));
  export default p;
  export const after = pipeline('after', { on: [pushed(purchases, { every: '0s' })] });
  after.step('say', task(() => 1));`;

describe.each(hasPostgres ? (['SQLite', 'Postgres'] as const) : (['SQLite'] as const))(
  'on %s',
  { timeout: 180_000 },
  (kind) => {
    let server: PostgresServer | undefined;
    let project: Project;
    let env: Record<string, string> = {};
    let database: Database;
    let store: RunStore;
    let schedulers: SchedulerRows;
    const children: ChildProcess[] = [];

    beforeAll(async () => {
      if (kind === 'Postgres') server = await startPostgres();
    }, 60_000);
    afterAll(() => server?.stop());
    beforeEach(async () => {
      env = server === undefined ? {} : { HEADRACE_REGISTRY_URL: await durableDatabase(server) };
      project = createServingProject(env);
      const shop = readFileSync(join(project.directory, 'feature_repo/shop.ts'), 'utf8');
      const scheduled = shop.replace("featureView('history', {", "featureView('history', { schedule: '*/3 * * * * *',");
      project.write('feature_repo/shop.ts', scheduled);
      project.write('feature_repo/often.ts', OFTEN);
      type('apply', '--yes');
      database = await openDatabase(env['HEADRACE_REGISTRY_URL'] ?? `sqlite:${sqliteFile()}`);
      store = await openRunStore(database, systemClock);
      ({ schedulers } = await openSchedules(database));
    }, 120_000);
    afterEach(async () => {
      for (const child of children.splice(0)) await killed(child);
      await database.close();
      await removeOnceStill(project);
    }, 60_000);

    const sqliteFile = (): string => project.file('.headrace/registry.db');
    const type = (...words: readonly string[]): void => {
      const { code, stderr } = headrace(project, words, env);
      expect(code, stderr).toBe(0);
    };
    const start = (more: Record<string, string> = {}): Scheduler => {
      const scheduler = startScheduler(project, { ...env, HEADRACE_GC_SCHEDULE: '*/5 * * * * *', ...more });
      children.push(scheduler.process);
      return scheduler;
    };
    const push = (): void => type('push', 'purchases', 'events.jsonl');
    const all = async (pipeline: string): Promise<readonly ListedRun[]> =>
      (await store.list({ pipeline, limit: 1000 })).toSorted((a, b) => (a.tick ?? 0) - (b.tick ?? 0));
    const secondsOf = (runs: readonly ListedRun[]): number[] =>
      runs.map(({ tick }) => (tick ?? NaN) / MICROS_PER_SECOND);
    /** Both look. */
    const startTwo = async (more: Record<string, string> = {}) => {
      const two = [start(more), start()] as const;
      await untilSo('both look', async () => (await schedulers.list()).length === 2, two);
      return two;
    };
    const until = (pipeline: string, seconds: number, logs: readonly Scheduler[]): Promise<void> => {
      const isSo = async () => ((await all(pipeline)).at(-1)?.tick ?? 0) / MICROS_PER_SECOND > seconds;
      return untilSo(`a run of ${pipeline} after a while`, isSo, logs);
    };
    /** As a schedule of every so many seconds makes them, the first and the last left alone: a scheduler may be at them. */
    const expectEach = async (pipeline: string, everySeconds: number): Promise<void> => {
      const seconds = secondsOf(await all(pipeline));
      expect(seconds.length, pipeline).toBeGreaterThan(3);
      expect(seconds, pipeline).toEqual(seconds.map((_, at) => (seconds[0] ?? NaN) + everySeconds * at));
    };
    /** Each of what it drove has come to its end; those that had no room were skipped. */
    const expectEnds = async (pipeline: string, logs: readonly Scheduler[]): Promise<void> => {
      const known = new Set((await all(pipeline)).map(({ id }) => id));
      const areOver = async () =>
        (await all(pipeline)).every(({ id, state }) => !known.has(id) || ['succeeded', 'cancelled'].includes(state));
      await untilSo(`the end of the runs of ${pipeline}`, areOver, logs);
    };

    it('one is stopped, goes on, and is killed: each tick has its run, and each pushed row its answer', async () => {
      const [one, other] = await startTwo();
      await until('often', 0, [one, other]);
      push();
      await stopInPeace(one.process, kind === 'SQLite' ? sqliteFile() : undefined);
      await delay(1000);
      push();
      await delay(5000);
      one.process.kill('SIGCONT');
      push();
      await delay(1000);
      one.process.kill('SIGKILL');
      push();
      const logs = [one, other, start()];
      const now = Date.now() / 1000;
      await until('often', now + 8, logs);
      await until('materialize:history', now + 3, logs);
      await untilSo('enough ticks of gc', async () => (await all('headrace:gc')).length > 3, logs);
      await expectEach('often', 2);
      await expectEach('materialize:history', 3);
      await expectEach('headrace:gc', 5);
      for (const pipeline of ['often', 'materialize:history']) await expectEnds(pipeline, logs);
      // Four times three rows.
      await untilSo('the answers', async () => sumOf(await all('after')) === 12, logs);
      await expectEnds('after', logs);
      const answers = (await all('after')).map(({ trigger }) => trigger);
      for (const [at, answer] of answers.slice(1).entries()) expect(answer?.after).toBe(answers[at]?.through);
    });

    it('the database is away for a while: nothing is lost', async () => {
      const two = await startTwo();
      await until('often', 0, two);
      if (server === undefined) {
        // Somebody holds it, for longer than anybody waits.
        const held = new DatabaseSync(sqliteFile(), { timeout: 10_000 });
        held.exec('begin immediate');
        await delay(8000);
        held.exec('rollback');
        held.close();
      } else {
        await server.kill();
        await delay(6000);
        await server.startAgain();
      }
      const back = Date.now() / 1000;
      const isBack = async () => secondsOf(await all('often').catch(() => [])).some((second) => second > back + 4);
      await untilSo('a run after it was back', isBack, two);
      await expectEach('often', 2);
      await expectEach('materialize:history', 3);
      for (const pipeline of ['often', 'materialize:history']) await expectEnds(pipeline, two);
    });

    it('the clock of one is an hour off, one way and the other: each tick has its run, at its time', async () => {
      const file = project.write('clock', String(HOUR_MS));
      const two = await startTwo({ HEADRACE_TEST_CLOCK: file, NODE_OPTIONS: `--import=${CLOCK}` });
      await until('often', Date.now() / 1000 + 4, two);
      project.write('clock', String(-HOUR_MS));
      await until('often', Date.now() / 1000 + 5, two);
      expect(Math.max(...secondsOf(await all('often')))).toBeLessThan(Date.now() / 1000 + 1);
      await expectEach('often', 2);
      await expectEnds('often', two);
    });
  },
);

function sumOf(runs: readonly ListedRun[]): number {
  return runs.reduce((sum, { trigger }) => sum + (trigger === undefined ? 0 : trigger.through - trigger.after), 0);
}

/** Not in the midst of a transaction of SQLite: whoever is stopped there holds up everybody. */
async function stopInPeace(child: ChildProcess, sqlite: string | undefined): Promise<void> {
  for (;;) {
    child.kill('SIGSTOP');
    if (sqlite === undefined || isFree(sqlite)) return;
    child.kill('SIGCONT');
    await delay(50);
  }
}

function isFree(file: string): boolean {
  const database = new DatabaseSync(file);
  try {
    database.exec('begin immediate');
    database.exec('rollback');
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}
