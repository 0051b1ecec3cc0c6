// Steps on Kubernetes by the commands that a user has, on a real control plane: the guide, images of their own, drivers that die.

import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openClusterExecutor } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import { openKubernetesJobs } from '../../src/orchestrator/executors/kubernetes/kubernetes-jobs.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { createWorld } from '../support/executor-world.ts';
import { kubernetesFor } from '../support/kubernetes-programs.ts';
import { type KubernetesServer, startKubernetes } from '../support/kubernetes-server.ts';
import { STEP_COMMAND } from '../support/process-jobs.ts';
import { newestRun, runGuide } from '../support/run-guide.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { createServingProject, headrace, MAIN, type Project } from '../support/serving-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/guides/run-on-kubernetes.md');
const NODE = join(import.meta.dirname, '../support/kubernetes-node-main.ts');
const programs = kubernetesFor('steps on Kubernetes');
const s3 = findS3Server('steps on Kubernetes');
const { PATH = '', HOME = '' } = process.env;

describe.skipIf(programs === undefined)('steps on Kubernetes', { timeout: 300_000 }, () => {
  let server: KubernetesServer;
  let node: ChildProcess;
  let folder: string;

  beforeAll(async () => {
    if (programs === undefined) return;
    folder = mkdtempSync(join(tmpdir(), 'headrace-kubernetes-'));
    server = await startKubernetes(programs);
    vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver')));
    // What an image has.
    const bin = join(folder, 'image');
    mkdirSync(bin);
    const words = STEP_COMMAND.map((word) => `'${word}'`).join(' ');
    writeFileSync(join(bin, 'headrace'), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    const place = { port: server.port, ca: server.ca, folder };
    const options = { slots: 4, variables: { PATH: `${bin}${delimiter}${PATH}`, HOME } };
    node = fork(NODE, [JSON.stringify(place), JSON.stringify(options)], { execArgv: ['--conditions=headrace-source'] });
    await once(node, 'message');
  }, 300_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    if (node !== undefined) {
      node.disconnect();
      await once(node, 'exit');
    }
    await server?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }, 60_000);

  const pods = async (namespace: string, query = ''): Promise<readonly string[]> => {
    const { items } = await server.do('GET', `/api/v1/namespaces/${namespace}/pods${query}`);
    return (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  };

  it('run in an image of their own, into which Headrace is brought', async () => {
    // As a global install has it: what it needs lies further up.
    const packed = join(folder, 'headrace');
    const built = spawnSync('tsc', ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(packed, 'dist')], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(ROOT, 'node_modules/.bin')}${delimiter}${PATH}` },
    });
    expect(built.status, built.stdout).toBe(0);
    writeFileSync(join(packed, 'package.json'), '{"type":"module","version":"0.0.0"}');
    spawnSync('chmod', ['755', join(packed, 'dist/cli/main.js')]);
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const image = join(folder, 'image/headrace');
    const before = readFileSync(image, 'utf8');
    rmSync(image);
    symlinkSync(join(packed, 'dist/cli/main.js'), image);
    const namespace = await server.newNamespace();
    const url = `file:${join(folder, 'artifacts')}`;
    const objects = openObjectStore(url);
    const given = { run: 'run-container', logger: silentLogger };
    const executor = openClusterExecutor({
      ...given,
      kind: 'kubernetes',
      objects,
      driver: 'driver',
      pack: 1,
      jobs: openKubernetesJobs({ ...given, namespace, image: 'headrace' }),
      env: { HEADRACE_ARTIFACTS_URL: url, HEADRACE_OFFLINE_PATH: join(folder, 'offline') },
    });
    const made = createWorld({ directory: folder, driver: 'driver', objects, executor });
    try {
      const command = ['sh', '-c', 'echo "in $HEADRACE_CONTAINER_IMAGE"; test -z "$SECRET"'];
      const [end] = await made.run({ kind: 'container', image: 'busybox:1', command }, { run: 'run-container' });
      expect(end).toMatchObject({ kind: 'succeeded' });
      const [pod = ''] = await pods(namespace);
      const { spec } = await server.do('GET', `/api/v1/namespaces/${namespace}/pods/${pod}`);
      expect(spec.containers[0].image).toBe('busybox:1');
      expect(spec.initContainers).toMatchObject([{ name: 'bring-headrace', image: 'headrace' }]);
    } finally {
      await executor.close();
      rmSync(image);
      writeFileSync(image, before, { mode: 0o755 });
    }
  });

  describe.skipIf(s3 === undefined)('by the commands', () => {
    let store: S3Server;
    let project: Project;
    let places: Record<string, string>;
    beforeAll(async () => {
      if (s3 === undefined || programs === undefined) return;
      store = await startS3Server(s3);
      project = createServingProject();
      places = { ...store.variables, HEADRACE_ARTIFACTS_URL: `s3://${await store.newBucket()}/headrace` };
      vi.stubEnv('PATH', `${programs.bin}${delimiter}${PATH}`);
    }, 120_000);
    afterAll(async () => {
      project?.remove();
      await store?.stop();
    });

    const newest = () => newestRun(project, places) as { readonly id: string };
    /** Applies a pipeline of these steps, which have `executor`. */
    const write = (name: string, steps: string): void => {
      project.write(
        `feature_repo/${name}.ts`,
        `import { pipeline, range, shell, task } from 'headrace';
const executor = { kind: 'kubernetes', namespace: 'ml', image: 'headrace', template: 'headrace' } as const;
const p = pipeline('${name}');
${steps}
export default p;
`,
      );
      expect(headrace(project, ['apply'], places)).toMatchObject({ code: 0 });
    };
    const start = (...words: readonly string[]): ChildProcess => {
      const env = { ...process.env, ...places, npm_lifecycle_event: '' };
      return spawn(process.execPath, [MAIN, ...words], { cwd: project.directory, env, stdio: 'ignore' });
    };

    it('the guide runs as it is typed', async () => {
      const kubeconfig = { KUBECONFIG: server.kubeconfig(server.tokenOf('admin')) };
      const keys = { STORE_KEY: store.accessKeyId, STORE_SECRET: store.secretAccessKey };
      runGuide(PAGE, project, { ...places, ...kubeconfig, ...keys });
      const steps = [
        { name: 'each', counts: { succeeded: 6 }, result: [0, 1, 4, 9, 16, 25] },
        { name: 'shop', counts: { succeeded: 1 } },
        { name: 'sum', result: 55 },
      ];
      expect(newest()).toMatchObject({ state: 'succeeded', steps });
      expect(await pods('ml')).toHaveLength(3);
    });

    it('a run whose driver is killed goes on where it is, each task committed once', async () => {
      const [marks, go] = [join(folder, 'marks'), join(folder, 'go-on')];
      write(
        'killed',
        `const each = p.step('each', task(async (_needs, { item }) => {
  const { appendFileSync, existsSync } = await import('node:fs');
  appendFileSync('${marks}', item + '\\n');
  while (!existsSync('${go}')) await new Promise((done) => setTimeout(done, 20));
  return Number(item);
}), { foreach: range(4), executor });
p.step('sum', task((needs: { each: number[] }) => needs.each.reduce((sum, one) => sum + one, 0)), { needs: { each } });`,
      );
      const driver = start('run', 'killed');
      const began = () => (existsSync(marks) ? readFileSync(marks, 'utf8') : '').split('\n').toSorted();
      const once4 = ['', '0', '1', '2', '3'];
      await vi.waitFor(() => expect(began()).toEqual(once4), 120_000);
      driver.kill('SIGKILL');
      await once(driver, 'exit');
      writeFileSync(go, '');
      const { id } = newest();
      expect((await once(start('runs', 'resume', id), 'exit'))[0]).toBe(0);
      const steps = [{ counts: { succeeded: 4 } }, { result: 6 }];
      expect(newest()).toMatchObject({ id, state: 'succeeded', steps });
      // Nothing was run twice.
      expect(began()).toEqual(once4);
    });

    it('what fails is tried again as often as it may be, and what is lost without being counted', async () => {
      const [failed, lost] = [join(folder, 'failed-once'), join(folder, 'lost-once')];
      write(
        'tries',
        `p.step('fails', shell('test -f ${failed} && exit 0; touch ${failed}; exit 3'), { executor, retry: 1 });
p.step('lost', shell('test -f ${lost} && exit 0; touch ${lost}; exec sleep 300'), { executor });
p.step('never', shell('exit 3'), { executor, retry: 1 });`,
      );
      const driver = start('run', 'tries', '--keep-going');
      await vi.waitFor(() => expect(existsSync(lost)).toBe(true), 120_000);
      for (const name of await pods('ml', '?fieldSelector=status.phase%3DRunning')) {
        const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'ml' } };
        await server.ask('POST', `/api/v1/namespaces/ml/pods/${name}/eviction`, eviction);
      }
      expect((await once(driver, 'exit'))[0]).toBe(1);
      const shown = headrace(project, ['runs', 'show', newest().id, '--tasks', '--json'], places).stdout;
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
      write('huge', `p.step('fit', shell('true'), { resources: { cpu: 1000 }, executor });`);
      const driver = start('run', 'huge');
      const why = /no node takes its pod: 0\/1 nodes are available: 1 Insufficient cpu/;
      const told = () => headrace(project, ['runs', 'show', newest().id], places).stdout;
      await vi.waitFor(() => expect(told()).toMatch(why), 60_000);
      expect(headrace(project, ['runs', 'cancel', newest().id], places)).toMatchObject({ code: 0 });
      await once(driver, 'exit');
      expect(newest()).toMatchObject({ state: 'cancelled' });
      expect(await pods('ml', '?fieldSelector=status.phase%3DPending')).toEqual([]);
    });
  });
});
