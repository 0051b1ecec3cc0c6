// Whole runs through a driver that is stopped past its lease, and a clock that is set back: nothing is lost, or committed twice.
// twin: test/integration/pipeline-drive.test.ts > goes on with what it had to write once the database is back
// twin: test/integration/pipeline-drive.test.ts > stops what runs once another has the run, and writes nothing more

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { getRun } from '../../src/orchestrator/index.ts';
import type { PipelineTables } from '../../src/orchestrator/rows/tables.ts';
import { testDatabases } from '../support/databases.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { ownProject } from '../support/opened.ts';
import type { PipelineProject } from '../support/pipeline-project.ts';
import { commitsOf } from '../support/run-commits.ts';
import { passLeases } from '../support/run-rows.ts';

const DRIVER = fileURLToPath(new URL('../support/pipeline-project.ts', import.meta.url));
const CLOCK = new URL('../support/clock-of-file.mjs', import.meta.url).href;

/** It ends with the test. */
const project = (text: string, registryUrl: string): Promise<PipelineProject> =>
  ownProject(`import { pipeline, range, shell, task } from 'headrace';\n${text}\nexport default p;`, { registryUrl });

/** A run of `p`, driven by a process of its own on this machine's executor. */
async function drive(
  { directory }: PipelineProject,
  registryUrl: string,
  { resume, env = {}, node = [] }: { readonly resume?: string; readonly env?: object; readonly node?: string[] } = {},
) {
  const what = resume === undefined ? ['run', 'p'] : ['resume', resume];
  const child = fork(DRIVER, [directory, ...what, registryUrl, 'local'], {
    execArgv: ['--conditions=headrace-source', ...node],
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  onTestFinished(async () => {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const gone = once(child, 'exit');
  const [line] =
    resume === undefined ? await Promise.race([once(child.stdout ?? process.stdin, 'data'), gone]) : [resume];
  return { child, id: String(line).trim(), gone, said: () => said };
}

const linesOf = (path: string): string[] =>
  (existsSync(path) ? readFileSync(path, 'utf8') : '').split('\n').filter((line) => line !== '');

const FAN = (count: number): string => `
const p = pipeline('p');
const before = p.step('before', task((_, { index }) => index * 3), { foreach: range(300) });
const fan = p.step('fan', shell('echo $HEADRACE_ATTEMPT >> __PROJECT__/ran; sleep 0.1; echo 1 > $HEADRACE_STEP_OUTPUT/result.json'), { foreach: range(${count}) });
p.step('end', task(({ before, fan }) => before.concat(fan).reduce((sum, one) => sum + one, 0)), { needs: { before, fan } });`;
const SUM = (count: number): number => (3 * 300 * 299) / 2 + count;

describe.each(testDatabases('runs through faults'))('a run on $name', { timeout: 60_000 }, (databases) => {
  beforeAll(() => databases.start(), 60_000);
  afterAll(() => databases.stop());

  it('whose driver is stopped past its lease is another’s: once that one goes on it claims nothing, writes nothing, and ends what it had', async () => {
    const url = await databases.newUrl();
    const made = await project(FAN(30), url);
    const ran = join(made.directory, 'ran');
    const first = await drive(made, url);
    await until(() => linesOf(ran).length >= 4, 'some of its tasks');
    const { child, id } = first;
    const rows = made.deps.database.tables<PipelineTables>();
    const driverOf = async (): Promise<string | null> =>
      (await rows.selectFrom('pipeline_runs').select('driver').where('id', '=', id).executeTakeFirstOrThrow()).driver;
    const own = await driverOf();
    // It may be stopped in a transaction that nobody gets past, on SQLite; then it is stopped anew.
    for (let tries = 0, isPast = false; !isPast && tries < 20; tries++) {
      child.kill('SIGSTOP');
      isPast = await Promise.race([
        passLeases(made.deps.database, 15_001).then(() => true),
        delay(1500, false, { ref: false }),
      ]);
      if (isPast) break;
      child.kill('SIGCONT');
      await delay(3);
    }
    const second = await drive(made, url, { resume: id });
    await expect.poll(driverOf, { timeout: 20_000 }).not.toBe(own);
    // Those of the first are ended before the second begins; so is its launcher, and it can start nothing.
    await until(() => processesWith(`HEADRACE_ATTEMPT=${own}:`).length === 0, 'the end of what the first had');
    await until(() => linesOf(ran).length >= 12, 'tasks of the second');
    child.kill('SIGCONT');
    expect(await first.gone).toEqual([1, null]);
    expect(first.said()).toMatch(/HR_CONFLICT|no longer this driver's|was taken over/);
    expect(await second.gone, second.said()).toEqual([0, null]);
    expect(await getRun(made.deps, id)).toMatchObject({ state: 'succeeded', steps: [{}, {}, { result: SUM(30) }] });
    expect(await commitsOf(made.deps, id)).toEqual({ tasks: 331, twice: [] });
    expect(processesWith(`HEADRACE_ATTEMPT=${own}:`)).toEqual([]);
    const attempts = linesOf(ran).map((line) => line.slice(0, line.indexOf(':')));
    const lastOfFirst = attempts.lastIndexOf(own ?? '');
    expect(attempts.slice(0, lastOfFirst + 1).every((driver) => driver === own)).toBe(true);
  });

  it('is tried again when it is due though the clock of its driver is set back an hour', async () => {
    const url = await databases.newUrl();
    const text = `const p = pipeline('p');
p.step('s', shell('echo $HEADRACE_ATTEMPT >> __PROJECT__/ran; test $(wc -l < __PROJECT__/ran) -ge 3'), { retry: { times: 3, delay: '3s', factor: 1, jitter: 0 } });`;
    const made = await project(text, url);
    const clock = join(made.directory, 'clock');
    writeFileSync(clock, '0');
    const byClock = { env: { HEADRACE_TEST_CLOCK: clock }, node: ['--import', CLOCK] };
    const { id, gone, said } = await drive(made, url, byClock);
    const retries = async () => (await getRun(made.deps, id)).steps[0]?.counts.retry;
    await expect.poll(retries, { timeout: 10_000, interval: 20 }).toBe(1);
    writeFileSync(clock, String(-3_600_000));
    // It would wait for an hour.
    expect(await gone, said()).toEqual([0, null]);
    expect((await getRun(made.deps, id, { hasTasks: true })).steps[0]?.tasks).toMatchObject([{ attempt: 3 }]);
  });
});
