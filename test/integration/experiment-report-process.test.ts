// Reports of experiments that a server is asked for: each is made in a process of its own, within its time and its memory, and
// predictions are answered meanwhile.

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { experimentReport, registerModelFile } from '../../src/app/index.ts';
import { banditJobs } from '../../src/app/open-bandits.ts';
import { createReportProcesses, type ReportProcesses } from '../../src/app/start-report-process.ts';
import type { ExperimentReport } from '../../src/rollouts/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { refused } from '../support/refused.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { fullDescribe } from '../support/tier.ts';

/** `slow` reads a metric that takes DuckDB minutes, `large` one that takes it gigabytes which it can't spill. */
const EXPERIMENTS = `
export const elsewhere = endpoint('elsewhere', { model: returns, unit: ['customer'] });
const asked = (name: string, sql: string) => ({ goal: [metric(name, { sql, over: [purchases] })] });
const common = { unit: ['customer'], endpoints: [checkout], arms: { control: { version: 1, weight: 50 }, treatment: { version: 2, weight: 50 } } };
export const learning = experiment('learning', { ...common, arms: { a: { version: 1, weight: 50 }, b: { version: 2, weight: 50 } },
  metrics: { goal: [metric('bought', { outcome: checkout })] }, plan: { kind: 'bandit', every: '1d' } });
export const exp = experiment('exp', { ...common, metrics: { goal: [metric('bought', { outcome: checkout })] } });
export const slow = experiment('slow', { ...common, metrics: asked('endless',
  "SELECT 'a' AS unit, to_timestamp(sum(sqrt(a.range * b.range))) AS time, 1 AS value FROM range(10000000) a, range(1000000) b WHERE a.range > (SELECT count(*) FROM purchases)") });
export const large = experiment('large', { ...common, endpoints: [elsewhere], metrics: asked('wide',
  "SELECT 'a' AS unit, to_timestamp(len(list(a.range))) AS time, 1 AS value FROM range(300000000) a WHERE a.range > (SELECT count(*) FROM purchases)") });
`;

const REPORT_FOREVER = fileURLToPath(new URL('../support/report-forever.ts', import.meta.url));

let open: OpenServing | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function serve(experiment: string, settings: Readonly<Record<string, string>> = {}): Promise<OpenServing> {
  open = await openServing({
    repository: REPOSITORY.replace('endpoint, feature', 'endpoint, experiment, metric, feature') + EXPERIMENTS,
    features: 4,
    settings,
  });
  const second = open.project.write('half.onnx', constantModel(4, 0.5));
  await registerModelFile(open.app, { model: 'returns', onnx: readFileSync(second) });
  await (await open.app.experiments()).start(experiment, { actor: 'ann' });
  return open;
}

const ask = (opened: OpenServing, experiment: string) =>
  opened.serving.server.inject({ method: 'GET', url: `/v1/experiments/${experiment}/report` });

async function predict(opened: OpenServing): Promise<number> {
  const inputs = ['a', 'b', 'c'].map((customer) => ({ customer, amount: 1 }));
  return (await opened.post('/v1/endpoints/checkout/predict', { inputs })).statusCode;
}

const onLinux = it.runIf(process.platform === 'linux');

/** Processes of reports that are under way here, by Linux's word. */
const reporting = (): number => reports().length;
const reports = (parent = process.pid): string[] =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const isOwn = new RegExp(`^PPid:\\t${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      return isOwn && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('report-main');
    } catch {
      return false;
    }
  });

it('gives what the command line gives within its memory, and opens no DuckDB where requests are answered', async () => {
  const opened = await serve('exp', { HEADRACE_SERVER_REPORT_MEMORY: '200MB' });
  expect(await predict(opened)).toBe(200);
  const duckdb = vi.spyOn(opened.app, 'duckdb');
  const answer = await ask(opened, 'exp');
  expect(answer.statusCode, answer.body).toBe(200);
  expect(duckdb).not.toHaveBeenCalled();
  const served = answer.json() as unknown as ExperimentReport;
  expect(served.arms.reduce((sum, { units }) => sum + units, 0)).toBe(3);
  const own = JSON.parse(JSON.stringify(await experimentReport(opened.app, 'exp'))) as ExperimentReport;
  expect({ ...served, made_at: own.made_at }).toEqual(own);
  // It was kept by the process that made it.
  const kept = await (await opened.app.experiments()).reports('exp');
  expect(kept.map(({ snapshot }) => snapshot)).toContain(served.snapshot);
  const unknown = await ask(opened, 'large');
  expect(unknown.statusCode).toBe(409);
  expect(unknown.json()).toMatchObject({ code: 'HR_CONFLICT', detail: expect.stringContaining('has not run yet') });

  // One that needs more memory is told what to do.
  await (await opened.app.experiments()).start('large', { actor: 'ann' });
  const large = await ask(opened, 'large');
  expect(large.statusCode, large.body).toBe(413);
  expect(large.json()).toMatchObject({
    code: 'HR_TOO_LARGE',
    detail: expect.stringMatching(/`headrace experiments report large`.*server\.reportMemory/),
  });
  expect(await predict(opened)).toBe(200);
});

onLinux('says how one ended that was late, stopped with its server, or killed', async () => {
  const { app } = await serve('exp');
  const { environment, config } = app;
  const processes = (timeoutMs: number): ReportProcesses =>
    createReportProcesses({
      environment,
      config: { ...config, values: { ...config.values, 'server.reportTimeoutMs': timeoutMs } },
    });
  await refused(
    processes(1).make('exp', undefined),
    'HR_DEADLINE',
    /not made within 0\.001 s.*`headrace experiments report exp`.*server\.reportTimeoutMs/,
  );
  const stopping = processes(60_000);
  const stopped = expect(stopping.make('exp', undefined)).rejects.toMatchObject({ code: 'HR_STOPPING' });
  await stopping.close();
  await stopped;
  await refused(stopping.make('exp', undefined), 'HR_STOPPING');
  const killed = processes(60_000).make('exp', undefined);
  process.kill(Number(reports()[0]), 'SIGKILL');
  await refused(
    killed,
    'HR_JOB_LOST',
    /of experiment "exp" ended with SIGKILL.*Ask again.*`headrace experiments report exp`/,
  );
  expect(reporting()).toBe(0);
});

/** Processes of reports let all others go first, and may take a while where there are many. */
const LONG_MS = 180_000;

/** Seconds that the threads in which DuckDB works have taken; 0 once the process is gone. */
function workedSeconds(pid: string): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'),
    );
    // utime is the 14th field, in hundredths of a second; the second is the thread's name.
    return threads
      .filter((stat) => stat.includes('(libuv-worker)'))
      .reduce((sum, stat) => sum + Number(stat.slice(stat.lastIndexOf(')')).split(' ')[12]) / 100, 0);
  } catch {
    return 0;
  }
}

// twin: test/integration/experiments.test.ts > learn, where that is their plan: once a day weights go to what is better, each time in a phase of its own
// twin: test/integration/experiment-report-process.test.ts > says how one ended that was late, stopped with its server, or killed
fullDescribe('a report that takes long', { timeout: LONG_MS }, () => {
  it('weighs a bandit’s arms in such a process, too, once its time has come', async () => {
    const opened = await serve('learning');
    for (let from = 0; from < 600; from += 100) {
      const inputs = Array.from({ length: 100 }, (_, i) => ({ customer: `c${from + i}`, amount: 1 }));
      const { predictions } = (await opened.post('/v1/endpoints/checkout/predict', { inputs })).json() as unknown as {
        predictions: { prediction_id: string; version: number }[];
      };
      // A third of who got the one buys, two thirds of who got the other.
      const outcomes = predictions.map(({ prediction_id: id, version }, i) => ({
        prediction_id: id,
        value: version === 1 ? i % 3 === 0 : i % 3 !== 0,
        observed_at: new Date().toISOString(),
      }));
      expect((await opened.post('/v1/endpoints/checkout/outcomes', { outcomes })).statusCode).toBe(200);
    }
    const duckdb = vi.spyOn(opened.app, 'duckdb');
    const [job] = banditJobs(opened.app);
    const run = () => job?.run(new AbortController().signal, { name: 'job bandits', epoch: 1 });
    const experiments = await opened.app.experiments();
    await run();
    expect((await experiments.get('learning')).phases).toHaveLength(1);
    const tables = (await opened.app.database()).tables<{ experiment_phases: { started_at: number } }>();
    await tables
      .updateTable('experiment_phases')
      .set(({ eb }) => ({ started_at: eb('started_at', '-', 25 * 3_600_000_000) }))
      .execute();
    await run();
    const { phases } = await experiments.get('learning');
    expect(phases.map(({ actor }) => actor)).toEqual(['ann', 'bandit']);
    expect(duckdb).not.toHaveBeenCalled();
  });

  onLinux('ends a report that is late, and answers predictions while it runs', async () => {
    const opened = await serve('slow', { HEADRACE_SERVER_REPORT_TIMEOUT_MS: '8000' });
    const late = ask(opened, 'slow');
    await expect.poll(reporting, { timeout: 60_000 }).toBe(1);
    expect(await predict(opened)).toBe(200);
    expect(reporting()).toBe(1);
    const answer = await late;
    expect(answer.statusCode, answer.body).toBe(504);
    expect(answer.json()).toMatchObject({
      code: 'HR_DEADLINE',
      detail: expect.stringMatching(/not made within 8 s.*`headrace experiments report slow`.*server\.reportTimeoutMs/),
    });
    expect(reporting()).toBe(0);
    expect(await predict(opened)).toBe(200);
  });

  onLinux('ends one that is under way as the server stops', async () => {
    const opened = await serve('slow', { HEADRACE_SERVER_DRAIN_TIMEOUT_MS: '0' });
    const cut = ask(opened, 'slow');
    await expect.poll(reporting, { timeout: 60_000 }).toBe(1);
    await opened.serving.stop();
    expect(reporting()).toBe(0);
    expect((await cut).statusCode).toBe(503);
  });

  onLinux('ends one in the midst of a query as its server is killed', async () => {
    const opened = await serve('slow');
    const server = spawn(process.execPath, [REPORT_FOREVER, opened.project.directory, 'slow'], { stdio: 'ignore' });
    await expect.poll(() => reports(server.pid).length, { timeout: 60_000 }).toBe(1);
    const [report = ''] = reports(server.pid);
    try {
      await expect.poll(() => workedSeconds(report), { timeout: 60_000 }).toBeGreaterThan(1);
      server.kill('SIGKILL');
      await expect.poll(() => existsSync(`/proc/${report}`), { timeout: 15_000 }).toBe(false);
    } finally {
      if (existsSync(`/proc/${report}`)) process.kill(Number(report), 'SIGKILL');
    }
  });
});
