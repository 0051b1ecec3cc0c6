// A run over `headrace worker`s whose Postgres is killed in its midst and started again: it goes on, nothing is lost and nothing is done
// twice.
// twin: test/integration/fleet.test.ts > a worker that lost its lease waits for a database that is away, and serves again

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { getRun, listRuns } from '../../src/orchestrator/index.ts';
import type { PipelineTables } from '../../src/orchestrator/rows/tables.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { openPipelineProject, removeProject, writeRepository } from '../support/pipeline-project.ts';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { skipBecause } from '../support/skips.ts';

const DRIVER = fileURLToPath(new URL('../support/pipeline-project.ts', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const TASKS = 60;
const PATIENCE = { timeout: 60_000, interval: 20 };

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('a fleet whose Postgres is killed: no initdb and postgres found (Debian: postgresql)');

describe.skipIf(!hasPostgres)('a run over a fleet', () => {
  let postgres: PostgresServer | undefined;
  let directory = '';
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await postgres?.stop();
    removeProject(directory);
  });

  it.each([
    // Within a lease nobody takes anybody for gone, and no task runs twice.
    {
      what: 'twice for 2 s',
      kills: [
        { after: 10, awayMs: 2000 },
        { after: 30, awayMs: 2000 },
      ],
      isWithinLease: true,
    },
    { what: 'for longer than a lease', kills: [{ after: 10, awayMs: 17_000 }], isWithinLease: false },
  ])(
    'goes on where its Postgres is killed $what, each task done once',
    async ({ kills, isWithinLease }) => {
      directory = writeRepository({
        'p.ts': `import { pipeline, range, shell, task } from 'headrace';
const p = pipeline('p');
const fan = p.step('fan', shell('echo $HEADRACE_ATTEMPT >> __PROJECT__/ran; sleep 0.2; echo "{\\\\"n\\\\": 1}" > $HEADRACE_STEP_OUTPUT/result.json'), { foreach: range(${TASKS}) });
p.step('sum', task((needs: { fan: { n: number }[] }) => needs.fan.reduce((sum, { n }) => sum + n, 0)), { needs: { fan } });
export default p;`,
      });
      postgres = await startPostgres();
      const url = await postgres.newDatabase();
      // What it has committed is to be there after a kill; the tests' own server saves itself that.
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(
        "do $$ begin execute format('alter database %I set synchronous_commit = on', current_database()); end $$",
      );
      await client.end();
      // As `headrace apply` makes it: workers join a registry that is there.
      const database = await openDatabase(url);
      await openRegistry(database, systemClock);
      await database.close();

      const { PATH = '', HOME = '' } = process.env;
      const places = ['--registry', url, '--artifacts', `file:${join(directory, 'artifacts')}`];
      const workers = [1, 2].map((n) => {
        const line = ['--conditions=headrace-source', MAIN, 'worker', '--json', '--slots', '2', ...places];
        const worker = spawn(process.execPath, line, { cwd: directory, env: { PATH, HOME, TEST_WORKER: String(n) } });
        children.push(worker);
        return worker;
      });
      await Promise.all(workers.map(async ({ stdout }) => await once(stdout, 'data')));
      const driver = fork(DRIVER, [directory, 'run', 'p', url], {
        execArgv: ['--conditions=headrace-source'],
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      children.push(driver);
      const gone = once(driver, 'exit');
      const ran = join(directory, 'ran');
      const linesOf = (): string[] => (existsSync(ran) ? readFileSync(ran, 'utf8').trim().split('\n') : []);
      for (const { after, awayMs } of kills) {
        const begun = vi.waitFor(() => expect(linesOf().length).toBeGreaterThanOrEqual(after), PATIENCE);
        await Promise.race([begun, gone.then(([code]) => Promise.reject(new Error(`the driver ended with ${code}`)))]);
        await postgres.kill();
        await delay(awayMs);
        await postgres.startAgain();
      }
      expect(await gone).toEqual([0, null]);

      const { deps, close } = await openPipelineProject(directory, { registryUrl: url });
      const [run] = await listRuns(deps);
      const { state, steps } = await getRun(deps, run?.id ?? '');
      expect({ state, steps }).toMatchObject({
        state: 'succeeded',
        steps: [{ counts: { succeeded: TASKS, failed: 0 } }, { result: TASKS }],
      });
      const tasks = await deps.database
        .tables<PipelineTables>()
        .selectFrom('pipeline_tasks')
        .select(['item_index', 'attempt', 'losses'])
        .where('step', '=', 'fan')
        .orderBy('item_index')
        .execute();
      expect(tasks.map(({ item_index: index }) => index)).toEqual(Array.from({ length: TASKS }, (_, index) => index));
      // One that ran again had been lost, and was told so.
      const losses = tasks.reduce((sum, task) => sum + task.losses, 0);
      expect(linesOf().length).toBeLessThanOrEqual(TASKS + losses);
      if (isWithinLease) expect(losses).toBe(0);
      await close();
      for (const worker of workers) {
        worker.kill('SIGTERM');
        expect(await once(worker, 'exit')).toEqual([0, null]);
      }
    },
    180_000,
  );
});
