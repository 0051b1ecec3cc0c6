// Steps on Kubernetes, on a real control plane with a node that runs containers as processes: the guide as it is typed, what becomes of
// jobs and pods, drivers that die and are followed, by the commands that a user has. What every executor holds to is in
// `kubernetes-contract.test.ts`.

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import type { StepAction } from '../../src/definitions/index.ts';
import { openClusterExecutor } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import { openKubernetesJobs } from '../../src/orchestrator/executors/kubernetes/kubernetes-jobs.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { createWorld, type ExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { kubernetesFor } from '../support/kubernetes-programs.ts';
import { type KubernetesServer, startKubernetes } from '../support/kubernetes-server.ts';
import { STEP_COMMAND } from '../support/process-jobs.ts';
import { runGuide } from '../support/run-guide.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { createServingProject, headrace, MAIN, type Project } from '../support/serving-project.ts';

const PAGE = join(import.meta.dirname, '../../docs/guides/run-on-kubernetes.md');
const NODE = join(import.meta.dirname, '../support/kubernetes-node-main.ts');
const programs = kubernetesFor('steps on Kubernetes');
const s3 = findS3Server('steps on Kubernetes');
const { PATH = '', HOME = '' } = process.env;

const shell = (command: string): StepAction => ({ kind: 'shell', command });
const range = (end: number) => ({ foreach: { kind: 'range', start: 0, end } as const });

describe.skipIf(programs === undefined)('steps on Kubernetes', { timeout: 300_000 }, () => {
  let server: KubernetesServer;
  let node: ChildProcess;
  let folder: string;
  const worlds: ExecutorWorld[] = [];

  beforeAll(async () => {
    if (programs === undefined) return;
    folder = mkdtempSync(join(tmpdir(), 'headrace-kubernetes-'));
    server = await startKubernetes(programs);
    vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver')));
    // What an image has.
    const bin = join(folder, 'image');
    mkdirSync(bin);
    const words = STEP_COMMAND.map((word) => `'${word}'`).join(' ');
    writeFileSync(join(bin, 'headrace'), `#!/bin/sh\nexec ${words} "$@"\n`);
    chmodSync(join(bin, 'headrace'), 0o755);
    const place = { port: server.port, ca: server.ca, folder };
    const options = { slots: 4, variables: { PATH: `${bin}${delimiter}${PATH}`, HOME } };
    node = fork(NODE, [JSON.stringify(place), JSON.stringify(options)], { execArgv: ['--conditions=headrace-source'] });
    await once(node, 'message');
  }, 300_000);
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.executor.close();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    if (node !== undefined) {
      node.disconnect();
      await once(node, 'exit');
    }
    await server?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }, 60_000);

  const openWorld = async (
    run: string,
    pack = 1,
    namespace?: string,
  ): Promise<ExecutorWorld & { namespace: string }> => {
    const url = `file:${join(folder, 'artifacts')}`;
    const objects = openObjectStore(url);
    const driver = `kubernetes-test/${run}/${worlds.length}`;
    const inside = namespace ?? (await server.newNamespace());
    const executor = openClusterExecutor({
      kind: 'kubernetes',
      jobs: openKubernetesJobs({ namespace: inside, image: 'headrace', run, logger: silentLogger }),
      objects,
      run,
      driver,
      pack,
      logger: silentLogger,
      env: { HEADRACE_ARTIFACTS_URL: url, HEADRACE_OFFLINE_PATH: join(folder, 'offline') },
    });
    const world = createWorld({ directory: folder, driver, objects, executor });
    worlds.push(world);
    return Object.assign(world, { namespace: inside });
  };
  const pods = async (namespace: string): Promise<readonly string[]> =>
    ((await server.do('GET', `/api/v1/namespaces/${namespace}/pods`)).items as { metadata: { name: string } }[]).map(
      ({ metadata }) => metadata.name,
    );
  const jobs = async (namespace: string): Promise<number> =>
    (await server.do('GET', `/apis/batch/v1/namespaces/${namespace}/jobs`)).items.length;

  it('run in pods, packed, and give their results in order', async () => {
    const made = await openWorld('run-packed', 2);
    const action = await made.task('module.exports = (_, { index, attempt }) => [index * 10, attempt];');
    const ends = await made.run(action, { run: 'run-packed', ...range(5) }, 5);
    expect(await Promise.all(ends.map(made.value))).toEqual([0, 10, 20, 30, 40].map((value) => [value, 1]));
    expect(await pods(made.namespace)).toHaveLength(3);
  });

  it('run in an image of their own, into which Headrace is brought', async () => {
    // As a global install has it: what it needs lies further up.
    const packed = join(folder, 'headrace');
    const project = join(import.meta.dirname, '../..');
    const built = spawnSync('tsc', ['-p', join(project, 'tsconfig.build.json'), '--outDir', join(packed, 'dist')], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(project, 'node_modules/.bin')}${delimiter}${PATH}` },
    });
    expect(built.status, built.stdout).toBe(0);
    writeFileSync(join(packed, 'package.json'), '{"type":"module","version":"0.0.0"}');
    chmodSync(join(packed, 'dist/cli/main.js'), 0o755);
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'));
    const image = join(folder, 'image/headrace');
    const before = readFileSync(image, 'utf8');
    rmSync(image);
    symlinkSync(join(packed, 'dist/cli/main.js'), image);
    try {
      const made = await openWorld('run-container');
      const action = {
        kind: 'container',
        image: 'busybox:1',
        command: ['sh', '-c', 'echo "in $HEADRACE_CONTAINER_IMAGE"; test -z "$SECRET"'],
      } as const;
      const [end] = await made.run(action, { run: 'run-container' });
      expect(end).toMatchObject({ kind: 'succeeded' });
      const [pod = ''] = await pods(made.namespace);
      const { spec } = await server.do('GET', `/api/v1/namespaces/${made.namespace}/pods/${pod}`);
      expect(spec.containers[0].image).toBe('busybox:1');
      expect(spec.initContainers).toMatchObject([{ name: 'bring-headrace', image: 'headrace' }]);
    } finally {
      rmSync(image);
      writeFileSync(image, before, { mode: 0o755 });
    }
  });

  it('of a slice that is submitted twice run once', async () => {
    const made = await openWorld('run-twice');
    const place = join(folder, 'twice');
    const slice = made.slice(await made.order(shell(`echo x >> ${place}`), { run: 'run-twice', ...range(2) }), 2);
    const both = await Promise.all([made.executor.submit([slice]), made.executor.submit([slice])]);
    expect(both[0]).toEqual(both[1]);
    await made.ends(slice);
    await made.executor.submit([slice]);
    expect(await jobs(made.namespace)).toBe(1);
    expect(readFileSync(place, 'utf8')).toBe('x\nx\n');
  });

  it('see the secrets that Kubernetes reads, which no log and no job has', async () => {
    const made = await openWorld('run-secrets');
    const stringData = { url: 'hunter2-secret' };
    await server.do('POST', `/api/v1/namespaces/${made.namespace}/secrets`, { metadata: { name: 'shop' }, stringData });
    const secrets = { SHOP: { secretKeyRef: { name: 'shop', key: 'url' } } };
    const [end] = await made.run(shell('echo "$SHOP"; test "$SHOP" = hunter2-secret'), { run: 'run-secrets', secrets });
    expect(end).toMatchObject({ kind: 'succeeded' });
    const log = await made.objects.get('runs/run-secrets/logs/s/0/1.txt');
    expect(Buffer.from(log ?? []).toString()).toBe('***\n');
    const listed = JSON.stringify(await server.do('GET', `/apis/batch/v1/namespaces/${made.namespace}/jobs`));
    expect(listed).not.toContain('hunter2');
  });

  it('are lost where their pod is evicted, and another attempt makes them', async () => {
    const made = await openWorld('run-evicted');
    const mark = join(folder, 'evicted-began');
    const spec = await made.order(shell(`test -f ${mark} && exit 0; touch ${mark}; exec sleep 300`), {
      run: 'run-evicted',
    });
    const slice = made.slice(spec);
    await made.executor.submit([slice]);
    await until(() => existsSync(mark), 'its start');
    const [name = ''] = await pods(made.namespace);
    await server.do('POST', `/api/v1/namespaces/${made.namespace}/pods/${name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace: made.namespace },
    });
    expect(await made.ends(slice)).toMatchObject([{ kind: 'lost' }]);
    const again = { ...made.slice(spec), tasks: [{ index: 0, attempt: 2 }] };
    await made.executor.submit([again]);
    expect(await made.ends(again)).toMatchObject([{ kind: 'succeeded', attempt: 2 }]);
  });

  it('are ended by a cancel: nothing runs afterwards, and no job is left', async () => {
    const made = await openWorld('run-cancel');
    const env = { LEFT_BY: `kubernetes-cancel-${process.pid}` };
    const spec = await made.order(shell('setsid sleep 1000; sleep 1000'), { run: 'run-cancel', ...range(3), env });
    const handles = await made.executor.submit([made.slice(spec, 3)]);
    await until(() => processesWith(env.LEFT_BY).length >= 4, 'its processes');
    await made.executor.cancel(handles);
    expect(processesWith(env.LEFT_BY)).toEqual([]);
    expect(made.events.filter(({ kind }) => kind !== 'started')).toEqual([]);
    expect([await jobs(made.namespace), await pods(made.namespace)]).toEqual([0, []]);
  });

  it('of a driver that is gone are gone on with by another', async () => {
    const first = await openWorld('run-adopted');
    const place = join(folder, 'go');
    const code = `module.exports = async (_, { index }) => { require('fs').appendFileSync(${JSON.stringify(join(folder, 'starts'))}, 'x'); while (index > 0 && !require('fs').existsSync(${JSON.stringify(place)})) await new Promise((done) => setTimeout(done, 10)); return index; };`;
    const slice = first.slice(await first.order(await first.task(code), { run: 'run-adopted', ...range(3) }), 3);
    await first.executor.submit([slice]);
    await until(() => existsSync(join(folder, 'starts')) && readFileSync(join(folder, 'starts'), 'utf8') === 'xxx');
    const second = await openWorld('run-adopted', 1, first.namespace);
    expect(await second.executor.adopt([{ slice: slice.id, at: 'run-adopted' }])).toEqual(['running']);
    // What the first one cancels now, once it wakes, is no longer its own.
    await first.executor.cancel([{ slice: slice.id, at: 'run-adopted' }]);
    expect(await jobs(first.namespace)).toBe(1);
    writeFileSync(place, '');
    expect(await second.ends(slice)).toMatchObject([0, 1, 2].map(() => ({ kind: 'succeeded' })));
    expect(readFileSync(join(folder, 'starts'), 'utf8')).toBe('xxx');
  });

  describe.skipIf(s3 === undefined)('by the commands', () => {
    let store: S3Server;
    let project: Project;
    let places: Record<string, string>;
    beforeAll(async () => {
      if (s3 === undefined || programs === undefined) return;
      store = await startS3Server(s3);
      project = createServingProject();
      places = {
        HEADRACE_ARTIFACTS_URL: `s3://${await store.newBucket()}/headrace`,
        AWS_ENDPOINT_URL_S3: store.endpoint,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: store.accessKeyId,
        AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
      };
      vi.stubEnv('PATH', `${programs.bin}${delimiter}${PATH}`);
    }, 120_000);
    afterAll(async () => {
      project?.remove();
      await store?.stop();
    });

    interface Shown {
      readonly state: string;
      readonly error: string | null;
      readonly steps: readonly object[];
    }
    const newest = (): string => {
      const { runs } = JSON.parse(headrace(project, ['runs', 'list', '--json'], places).stdout) as {
        runs: { id: string }[];
      };
      return runs[0]?.id ?? '';
    };
    const show = (id: string): Shown =>
      JSON.parse(headrace(project, ['runs', 'show', id, '--json'], places).stdout) as Shown;

    it('the guide runs as it is typed', async () => {
      const kubeconfig = { KUBECONFIG: server.kubeconfig(server.tokenOf('admin')) };
      const keys = { STORE_KEY: store.accessKeyId, STORE_SECRET: store.secretAccessKey };
      runGuide(PAGE, project, { ...places, ...kubeconfig, ...keys });
      expect(show(newest())).toMatchObject({
        state: 'succeeded',
        steps: [
          { name: 'each', counts: { succeeded: 6 }, result: [0, 1, 4, 9, 16, 25] },
          { name: 'shop', counts: { succeeded: 1 } },
          { name: 'sum', result: 55 },
        ],
      });
      expect(await pods('ml')).toHaveLength(3);
    });

    it('a run whose driver is killed goes on where it is, each task committed once', async () => {
      const marks = join(folder, 'marks');
      const go = join(folder, 'go-on');
      project.write(
        'feature_repo/killed.ts',
        `import { pipeline, range, task } from 'headrace';
const p = pipeline('killed');
const each = p.step('each', task(async (_needs, { item }) => {
  const { appendFileSync, existsSync } = await import('node:fs');
  appendFileSync('${marks}', item + '\\n');
  while (!existsSync('${go}')) await new Promise((done) => setTimeout(done, 20));
  return Number(item);
}), { foreach: range(4), executor: { kind: 'kubernetes', namespace: 'ml', image: 'headrace', template: 'headrace' } });
p.step('sum', task((needs: { each: number[] }) => needs.each.reduce((sum, one) => sum + one, 0)), { needs: { each } });
export default p;
`,
      );
      expect(headrace(project, ['apply'], places)).toMatchObject({ code: 0 });
      const env = { ...process.env, ...places, npm_lifecycle_event: '' };
      const driver = spawn(process.execPath, [MAIN, 'run', 'killed'], { cwd: project.directory, env, stdio: 'ignore' });
      const began = (): string => (existsSync(marks) ? readFileSync(marks, 'utf8') : '');
      await vi.waitFor(() => expect(began().split('\n').toSorted()).toEqual(['', '0', '1', '2', '3']), 120_000);
      driver.kill('SIGKILL');
      await once(driver, 'exit');
      writeFileSync(go, '');
      const id = newest();
      const resumed = spawn(process.execPath, [MAIN, 'runs', 'resume', id], {
        cwd: project.directory,
        env,
        stdio: 'ignore',
      });
      expect((await once(resumed, 'exit'))[0]).toBe(0);
      expect(show(id)).toMatchObject({ state: 'succeeded', steps: [{ counts: { succeeded: 4 } }, { result: 6 }] });
      // Nothing was run twice.
      expect(began().split('\n').toSorted()).toEqual(['', '0', '1', '2', '3']);
    });

    it('what fails is tried again as often as it may be, and what is lost without being counted', async () => {
      const [failed, lost] = [join(folder, 'failed-once'), join(folder, 'lost-once')];
      project.write(
        'feature_repo/tries.ts',
        `import { pipeline, shell } from 'headrace';
const p = pipeline('tries');
const executor = { kind: 'kubernetes', namespace: 'ml', image: 'headrace', template: 'headrace' } as const;
p.step('fails', shell('test -f ${failed} && exit 0; touch ${failed}; exit 3'), { executor, retry: 1 });
p.step('lost', shell('test -f ${lost} && exit 0; touch ${lost}; exec sleep 300'), { executor });
p.step('never', shell('exit 3'), { executor, retry: 1 });
export default p;
`,
      );
      expect(headrace(project, ['apply'], places)).toMatchObject({ code: 0 });
      const env = { ...process.env, ...places, npm_lifecycle_event: '' };
      const words = [MAIN, 'run', 'tries', '--keep-going'];
      const driver = spawn(process.execPath, words, { cwd: project.directory, env, stdio: 'ignore' });
      await vi.waitFor(() => expect(existsSync(lost)).toBe(true), 120_000);
      const { items } = await server.do('GET', '/api/v1/namespaces/ml/pods?fieldSelector=status.phase%3DRunning');
      for (const { metadata } of items as { metadata: { name: string } }[]) {
        const name = metadata.name;
        await server.ask('POST', `/api/v1/namespaces/ml/pods/${name}/eviction`, {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name, namespace: 'ml' },
        });
      }
      expect((await once(driver, 'exit'))[0]).toBe(1);
      const shown = headrace(project, ['runs', 'show', newest(), '--tasks', '--json'], places).stdout;
      expect(JSON.parse(shown)).toMatchObject({
        state: 'failed',
        steps: [
          { name: 'fails', state: 'succeeded', tasks: [{ attempt: 2 }] },
          { name: 'lost', state: 'succeeded' },
          { name: 'never', state: 'failed', tasks: [{ attempt: expect.toSatisfy((made) => made >= 2) as number }] },
        ],
      });
    });

    it('a run that nobody can place says why it waits, and a cancel ends it', async () => {
      project.write(
        'feature_repo/huge.ts',
        `import { pipeline, shell } from 'headrace';
const p = pipeline('huge');
p.step('fit', shell('true'), { resources: { cpu: 1000 }, executor: { kind: 'kubernetes', namespace: 'ml', image: 'headrace', template: 'headrace' } });
export default p;
`,
      );
      expect(headrace(project, ['apply'], places)).toMatchObject({ code: 0 });
      const env = { ...process.env, ...places, npm_lifecycle_event: '' };
      const driver = spawn(process.execPath, [MAIN, 'run', 'huge'], { cwd: project.directory, env, stdio: 'ignore' });
      await vi.waitFor(() => {
        const id = newest();
        expect(headrace(project, ['runs', 'show', id], places).stdout).toMatch(
          /no node takes its pod: 0\/1 nodes are available: 1 Insufficient cpu/,
        );
      }, 60_000);
      expect(headrace(project, ['runs', 'cancel', newest()], places)).toMatchObject({ code: 0 });
      await once(driver, 'exit');
      expect(show(newest())).toMatchObject({ state: 'cancelled' });
      const { items } = await server.do('GET', '/api/v1/namespaces/ml/pods?fieldSelector=status.phase%3DPending');
      expect(items).toEqual([]);
    });
  });
});
