// The port of a cluster's jobs on AWS Batch, which is moto with jobs that run as processes, and what goes wrong between it and a driver.
// twin: test/integration/batch-faults.test.ts > a run on AWS Batch

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DescribeJobDefinitionsCommand, DescribeJobsCommand, ListJobsCommand } from '@aws-sdk/client-batch';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { type BatchJobsOptions, openBatchJobs } from '../../src/orchestrator/executors/aws-batch/batch-jobs.ts';
import type { ClusterJob, ClusterJobs, PartEnd } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';
import { jobOf, partEnds } from '../support/cluster-parts.ts';
import { type BatchServer, batchVariables, findBatchServer, startBatchServer } from '../support/batch-server.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';

const python = findBatchServer('jobs of AWS Batch');
const WAIT_MS = 30_000;

describe.skipIf(python === undefined)('jobs of AWS Batch', { timeout: 60_000 }, () => {
  let server: BatchServer;
  let proxy: FaultyProxy;
  let queue: string;
  let calls: string[] = [];
  const opened: ClusterJobs[] = [];

  beforeAll(async () => {
    server = await startBatchServer(python ?? '', { secondMs: 10 });
    proxy = await startFaultyProxy(server.endpoint);
    for (const [name, value] of Object.entries(batchVariables(proxy.endpoint))) vi.stubEnv(name, value);
    await server.define('runs');
    queue = await server.newQueue();
  }, 120_000);
  afterEach(async () => {
    for (const jobs of opened.splice(0)) await jobs.close();
    proxy.fault = () => undefined;
    calls = [];
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await proxy?.stop();
    await server?.stop();
  });

  const open = (options: Partial<BatchJobsOptions> = {}): ClusterJobs => {
    const quick = { lookMs: 50, missingMs: 300, settleMs: 100 };
    const jobs = openBatchJobs({ queue, definition: 'runs', logger: silentLogger, ...quick, ...options });
    opened.push(jobs);
    return jobs;
  };
  const job = (script: string, options: Partial<ClusterJob> = {}): ClusterJob => jobOf(script, { cpu: 1, ...options });
  const ends = (jobs: ClusterJobs, one: ClusterJob, id: string, waitMs = WAIT_MS) => partEnds(jobs, one, id, waitMs);
  const run = async (jobs: ClusterJobs, one: ClusterJob): Promise<readonly PartEnd[]> => {
    const [id = ''] = await jobs.submit([one]);
    return await ends(jobs, one, id);
  };
  const namesakes = async (name: string): Promise<readonly string[]> => {
    const filters = [{ name: 'JOB_NAME', values: [name] }];
    const { jobSummaryList = [] } = await server.client.send(new ListJobsCommand({ jobQueue: queue, filters }));
    return jobSummaryList.map(({ jobId = '' }) => jobId);
  };
  const running = async (id: string): Promise<void> => {
    const look = async () => (await server.client.send(new DescribeJobsCommand({ jobs: [id] }))).jobs?.[0]?.status;
    await expect.poll(look, { timeout: WAIT_MS }).toBe('RUNNING');
  };
  /** Counts what is asked, and does to it what `fault` says. */
  const meddle = (fault: FaultyProxy['fault'] = () => undefined): void => {
    proxy.fault = (method, path, headers) => {
      calls.push(path.slice('/v1/'.length));
      return fault(method, path, headers);
    };
  };
  const asked = (call: string): number => calls.filter((one) => one === call).length;

  it('run a single part as a plain job, which has variables and an exit code of its own', async () => {
    const jobs = open();
    const one = job('echo "$A:$AWS_BATCH_JOB_ARRAY_INDEX"; exit 3', { env: { A: 'x y' } });
    const [id = ''] = await jobs.submit([one]);
    expect(await ends(jobs, one, id)).toEqual([{ job: one.name, part: 0, kind: 'exited', code: 3 }]);
    expect(server.log(id)).toBe('x y:\n');
  });

  it('run parts as the children of an array, each told of by its own exit code', async () => {
    const one = job('exit $AWS_BATCH_JOB_ARRAY_INDEX', { parts: 5 });
    const told = await run(open(), one);
    expect(told).toEqual([0, 1, 2, 3, 4].map((part) => ({ job: one.name, part, kind: 'exited', code: part })));
  });

  it('are found by name, by another driver too, and submitted once', async () => {
    const [jobs, other] = [open(), open()];
    const one = job('sleep 0.2', { parts: 2 });
    const [id] = await jobs.submit([one]);
    expect(await jobs.submit([one])).toEqual([id]);
    expect(await other.submit([one])).toEqual([id]);
    expect(await other.find([one.name, 'headrace-nobody'])).toEqual([id, undefined]);
    expect(await namesakes(one.name)).toEqual([id]);
    expect((await ends(other, one, id ?? '')).map(({ kind }) => kind)).toEqual(['exited', 'exited']);
    // Those that ended before are told as well.
    expect(await ends(open(), one, id ?? '')).toHaveLength(2);
  });

  it('are told apart by why they failed', async () => {
    await server.define('no-image', { image: 'missing/image:1' });
    const [jobs, broken] = [open(), open({ definition: 'no-image' })];
    const refused = (reason: string) => [{ kind: 'refused', reason: expect.stringContaining(reason) as string }];
    expect(await run(jobs, job('kill -KILL $$'))).toMatchObject([{ kind: 'failed', cause: 'memory' }]);
    // A minute is the least that Batch takes; it lasts 0.6 s here.
    const late = await run(jobs, job('exec sleep 100', { timeoutMs: 1 }));
    expect(late).toMatchObject([{ kind: 'failed', cause: 'timeout' }]);
    expect(await run(broken, job('true'))).toMatchObject(refused('CannotPullContainerError'));
    const nowhere = job('', { command: ['headrace-nowhere'] });
    expect(await run(jobs, nowhere)).toMatchObject(refused('executable file not found'));
  });

  it('are lost where Spot takes their machine, and where Batch forgets them', async () => {
    const jobs = open();
    const one = job('exec sleep 100', { parts: 3 });
    const [id = ''] = await jobs.submit([one]);
    const told = ends(jobs, one, id);
    for (const part of [0, 1, 2]) await running(`${id}:${part}`);
    await server.takeMachine(`${id}:0`);
    await server.forget(`${id}:1`);
    await server.takeMachine(`${id}:2`);
    expect(await told).toMatchObject([
      { kind: 'lost', reason: 'Host EC2 (instance i-0f00ba4) terminated.' },
      { kind: 'lost', reason: `AWS Batch has no job ${id} any more` },
      { kind: 'lost' },
    ]);
    const whole = job('exec sleep 100');
    const [other = ''] = await jobs.submit([whole]);
    await running(other);
    await server.forget(other);
    expect(await ends(jobs, whole, other)).toMatchObject([{ kind: 'lost' }]);
  });

  it('are ended by a cancel, which resolves once none of them runs', async () => {
    const jobs = open();
    const [plain, array] = [job('exec sleep 100'), job('exec sleep 100', { parts: 20 })];
    const ids = await jobs.submit([plain, array]);
    await running(`${ids[1]}:0`);
    await jobs.cancel([plain, array].map(({ name }, at) => ({ name, id: ids[at] ?? '' })));
    const { jobs: found = [] } = await server.client.send(new DescribeJobsCommand({ jobs: [...ids] }));
    expect(found.map(({ status }) => status)).toEqual(['FAILED', 'FAILED']);
    expect(found.find(({ jobId }) => jobId === ids[1])?.arrayProperties?.statusSummary).toMatchObject({ FAILED: 20 });
  });

  it('get secrets by a definition of their own, registered once and without a value', async () => {
    const arn = await server.newSecret('s3cr3t');
    await server.define('with-secrets', { environment: [{ name: 'KEPT', value: 'yes' }] });
    const one = (): ClusterJob => job('echo "$API_KEY $KEPT"', { secrets: { API_KEY: { arn } } });
    const jobs = open({ definition: 'with-secrets' });
    meddle();
    const both = [one(), one()];
    const ids = await jobs.submit(both);
    const [last] = [one()];
    const again = open({ definition: 'with-secrets' });
    const [id = ''] = await again.submit([last]);
    for (const [at, each] of both.entries()) await ends(jobs, each, ids[at] ?? '');
    await ends(again, last, id);
    expect([...ids, id].map((each) => server.log(each))).toEqual(Array(3).fill('s3cr3t yes\n'));
    expect(asked('registerjobdefinition')).toBe(1);
    const { jobDefinitions = [] } = await server.client.send(new DescribeJobDefinitionsCommand({ status: 'ACTIVE' }));
    const derived = jobDefinitions.filter(({ jobDefinitionName: name = '' }) => name.startsWith('with-secrets-'));
    const valueFrom = [{ name: 'API_KEY', valueFrom: arn }];
    expect(derived.map(({ containerProperties }) => containerProperties?.secrets)).toEqual([valueFrom]);
    expect(JSON.stringify(jobDefinitions)).not.toContain('s3cr3t');
  });

  it('are refused, with the way out, where the definition or the queue will not do', async () => {
    await server.define('no-role', { executionRoleArn: '' });
    const secrets = { API_KEY: { arn: 'arn:aws:secretsmanager:x' } };
    const [queue, role] = [/Job queue nobody does not exist/, /executionRoleArn/];
    const refused = (reason: RegExp) => [{ kind: 'refused', reason: expect.stringMatching(reason) as string }];
    expect(await run(open({ queue: 'nobody' }), job('true'))).toMatchObject(refused(queue));
    expect(await run(open({ definition: 'no-role' }), job('true', { secrets }))).toMatchObject(refused(role));
  });

  describe('when Batch', () => {
    it('gives no answer to a submit that it has done, are found by name and not made twice', async () => {
      let lost = 0;
      meddle((_, path) => (path === '/v1/submitjob' && lost++ === 0 ? { kind: 'silence', afterBytes: 1 } : undefined));
      const one = job('exit 5');
      expect(await run(open({ silenceMs: 300 }), one)).toMatchObject([{ code: 5 }]);
      expect(asked('submitjob')).toBe(1);
      expect(await namesakes(one.name)).toHaveLength(1);
    });

    it('refuses the credentials, say which call and what to allow', async () => {
      meddle(() => ({ kind: 'status', status: 403 }));
      await expect(open().find(['headrace-any'])).rejects.toMatchObject({
        code: 'HR_CONFIG',
        message: expect.stringMatching(/allow batch:ListJobs/) as string,
      });
    });
  });

  it('of one name that two drivers made at once become one, which both follow', async () => {
    // Neither sees the other's job: lists know of a job a moment late.
    let isLate = true;
    const one = job('sleep 1; exit 7');
    const [first, second] = [open(), open()];
    meddle((_, path) => (path === '/v1/listjobs' && isLate ? { kind: 'slow', ms: 300 } : undefined));
    const [[a = ''], [b = '']] = await Promise.all([first.submit([one]), second.submit([one])]);
    isLate = false;
    const both = await Promise.all([ends(first, one, a), ends(second, one, b)]);
    expect(both).toMatchObject([[{ code: 7 }], [{ code: 7 }]]);
  });

  it('whose driver is killed between submit and answer are found by the next one', async () => {
    meddle((_, path) => (path === '/v1/submitjob' ? { kind: 'silence', afterBytes: 1 } : undefined));
    const one = job('exit 8', { parts: 2 });
    const module = new URL('../../src/orchestrator/executors/aws-batch/batch-jobs.ts', import.meta.url).href;
    const script = `
      const { openBatchJobs } = await import(${JSON.stringify(module)});
      const logger = { debug() {}, info() {}, warn() {}, error() {} };
      await openBatchJobs({ queue: ${JSON.stringify(queue)}, definition: 'runs', logger }).submit([${JSON.stringify(one)}]);`;
    const node = ['--conditions=headrace-source', '--input-type=module', '-e', script];
    const driver = spawn(process.execPath, node, { stdio: 'ignore' });
    await vi.waitFor(async () => expect(await namesakes(one.name)).toHaveLength(1), { timeout: WAIT_MS, interval: 50 });
    driver.kill('SIGKILL');
    await once(driver, 'exit');
    proxy.fault = () => undefined;
    expect(await run(open(), one)).toMatchObject([{ code: 8 }, { code: 8 }]);
    expect(await namesakes(one.name)).toHaveLength(1);
  });

  it('of many children cost few calls', async () => {
    meddle();
    const one = job('true', { parts: 300 });
    const since = performance.now();
    expect((await run(open({ lookMs: 200 }), one)).every((end) => end.kind === 'exited' && end.code === 0)).toBe(true);
    const looks = (performance.now() - since) / 200;
    expect(asked('describejobs')).toBeLessThan(looks + 2);
    expect(asked('listjobs')).toBeLessThan(looks + 2);
  });
});
