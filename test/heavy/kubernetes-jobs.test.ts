// Jobs of Kubernetes, on a real control plane with a node that runs containers as processes: what the port of a cluster's jobs
// promises, and what goes wrong between a driver, the API server and nodes.

import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import type { ClusterJob, ClusterJobs, PartEnd } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';
import {
  type KubernetesJobsOptions,
  openKubernetesJobs,
} from '../../src/orchestrator/executors/kubernetes/kubernetes-jobs.ts';
import { jobOf, partEnds } from '../support/cluster-parts.ts';
import { type StandInNode, startNode } from '../support/kubernetes-node.ts';
import { kubernetesFor } from '../support/kubernetes-programs.ts';
import { DRIVER_RULES, type KubernetesServer, startKubernetes } from '../support/kubernetes-server.ts';
import { type Gate, openGate } from '../support/tcp-gate.ts';

const programs = kubernetesFor('jobs of Kubernetes');
const WAIT_MS = 60_000;
const { PATH = '' } = process.env;

describe.skipIf(programs === undefined)('jobs of Kubernetes', { timeout: 240_000 }, () => {
  let server: KubernetesServer;
  let node: StandInNode;
  /** Between drivers and the API server, or one that says no more than that it is busy. */
  let gate: Gate;
  let busy: Server;
  let isBusy = false;
  let turnedAway = 0;
  let namespace: string;
  const opened: ClusterJobs[] = [];

  beforeAll(async () => {
    if (programs === undefined) return;
    server = await startKubernetes(programs);
    node = await startNode(server, { slots: 6, variables: { PATH }, mostGraceMs: 3000 });
    const { cert, key } = server.serving;
    busy = createServer({ cert, key }, (_, response) => {
      turnedAway += 1;
      const body = { kind: 'Status', status: 'Failure', reason: 'TooManyRequests', code: 429 };
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' });
      response.end(JSON.stringify({ ...body, message: 'Too many requests, please try again later.' }));
    }).listen(0, '127.0.0.1');
    await once(busy, 'listening');
    gate = await openGate(() => (isBusy ? (busy.address() as AddressInfo).port : server.port));
    vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver'), gate.port));
    namespace = await server.newNamespace();
  }, 300_000);
  afterEach(async () => {
    gate.admit();
    await Promise.all(opened.splice(0).map((jobs) => jobs.close()));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await node?.stop();
    gate?.end();
    busy?.closeAllConnections();
    busy?.close();
    await server?.stop();
  }, 60_000);

  const open = (options: Partial<KubernetesJobsOptions> = {}): ClusterJobs => {
    const jobs = openKubernetesJobs({ namespace, image: 'headrace', run: 'run-1', logger: silentLogger, ...options });
    opened.push(jobs);
    return jobs;
  };
  const job = jobOf;
  const ends = (jobs: ClusterJobs, one: ClusterJob, id: string, waitMs = WAIT_MS) => partEnds(jobs, one, id, waitMs);
  const run = async (jobs: ClusterJobs, one: ClusterJob): Promise<readonly PartEnd[]> => {
    const [id = ''] = await jobs.submit([one]);
    return await ends(jobs, one, id);
  };
  const podsOf = async (name: string, inside = namespace): Promise<readonly string[]> => {
    const { items } = await server.do('GET', `/api/v1/namespaces/${inside}/pods?labelSelector=job-name%3D${name}`);
    return (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  };
  const jobPath = (name: string): string => `/apis/batch/v1/namespaces/${namespace}/jobs/${name}`;
  const podPath = (name: string): string => `/api/v1/namespaces/${namespace}/pods/${name}`;
  /** Names of its pods, once so many of them run. */
  const running = async (name: string, count = 1, on = node): Promise<readonly string[]> => {
    const found = (): readonly string[] =>
      on
        .running()
        .flatMap((key) => (key.split('/')[1]?.startsWith(`${name}-`) === true ? [key.split('/')[1] ?? ''] : []));
    await vi.waitFor(() => expect(found()).toHaveLength(count), { timeout: WAIT_MS, interval: 50 });
    return found().toSorted();
  };
  /** Of a namespace of its own, which a test may spoil. */
  const alone = async (): Promise<string> => (namespace = await server.newNamespace());
  const saying = (): { readonly logger: Logger; readonly said: string[] } => {
    const said: string[] = [];
    const warn: Logger['warn'] = (...words: readonly unknown[]) => void said.push(JSON.stringify(words));
    return { logger: { ...silentLogger, warn }, said };
  };

  it('run parts as an indexed job, each told of by its own exit code', async () => {
    const one = job('echo "$A:$JOB_COMPLETION_INDEX"; exit $JOB_COMPLETION_INDEX', { parts: 5, env: { A: 'x y' } });
    const told = await run(open(), one);
    expect(told).toEqual([0, 1, 2, 3, 4].map((part) => ({ job: one.name, part, kind: 'exited', code: part })));
    const pods = await podsOf(one.name);
    expect(pods.map((pod) => node.log(pod)).toSorted()).toEqual([0, 1, 2, 3, 4].map((part) => `x y:${part}\n`));
  });

  it.each([3, 75, 78])('tell exit code %i, and try no part again', async (code) => {
    const one = job(`exit ${code}`, { parts: 2 });
    expect(await run(open(), one)).toMatchObject([{ code }, { code }]);
    await vi.waitFor(
      async () => {
        const { status } = await server.do('GET', jobPath(one.name));
        expect(status).toMatchObject({ failed: 2, failedIndexes: '0,1' });
      },
      { timeout: WAIT_MS, interval: 100 },
    );
    expect(await podsOf(one.name)).toHaveLength(2);
  });

  it('are found by name, by another driver too, and submitted once', async () => {
    const [jobs, other] = [open(), open()];
    const one = job('sleep 1; exit 4', { parts: 2 });
    const [id = ''] = await jobs.submit([one]);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await jobs.submit([one])).toEqual([id]);
    expect(await other.submit([one])).toEqual([id]);
    expect(await other.find([one.name, 'headrace-nobody'])).toEqual([id, undefined]);
    expect(await ends(other, one, id)).toMatchObject([{ code: 4 }, { code: 4 }]);
    // Those that ended before are told as well.
    expect(await ends(open(), one, id)).toMatchObject([{ code: 4 }, { code: 4 }]);
    expect(node.starts.get(`${namespace}/${(await podsOf(one.name))[0]}`)).toBe(1);
  });

  it('are told apart by why they failed: memory, time', async () => {
    const jobs = open();
    const [hungry, slow] = [
      job('exec sleep 1000', { memoryBytes: 2 ** 30 }),
      job('exec sleep 1000', { timeoutMs: 1500 }),
    ];
    const [id = '', other = ''] = await jobs.submit([hungry, slow]);
    const [pod = ''] = await running(hungry.name);
    node.killForMemory(pod);
    expect(await ends(jobs, hungry, id)).toMatchObject([
      { kind: 'failed', cause: 'memory', reason: expect.stringMatching(/OOMKilled.*raise/) as string },
    ]);
    expect(await ends(jobs, slow, other)).toMatchObject([{ kind: 'failed', cause: 'timeout' }]);
  });

  it('are refused where their image or a secret cannot be had, and run once it can', async () => {
    const jobs = open({ startLimitMs: 2000 });
    const why = async (one: ClusterJob, image = 'headrace'): Promise<string> => {
      const [end] = await run(image === 'headrace' ? jobs : open({ startLimitMs: 2000, image }), one);
      expect(end?.kind).toBe('refused');
      return end?.kind === 'refused' ? end.reason : '';
    };
    expect(await why(job('true'), 'missing/image:1')).toMatch(/missing\/image:1 cannot be pulled \(ImagePullBackOff/);
    expect(await why(job('true'), 'No Image')).toMatch(/No Image is no image’s name/);
    const secrets = { API_KEY: { secretKeyRef: { name: 'shop', key: 'url' } } };
    expect(await why(job('true', { secrets }))).toMatch(
      /cannot be made \(CreateContainerConfigError: .*"shop" not found\)/,
    );
    const patient = open();
    const one = job('echo "$API_KEY"', { secrets });
    const [id = ''] = await patient.submit([one]);
    const stringData = { url: 'postgres://s3cr3t' };
    await server.do('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: 'shop' }, stringData });
    expect(await ends(patient, one, id)).toMatchObject([{ code: 0 }]);
    expect(node.log((await podsOf(one.name))[0] ?? '')).toBe('postgres://s3cr3t\n');
    expect(JSON.stringify(await server.do('GET', jobPath(one.name)))).not.toContain('s3cr3t');
  });

  it('are lost where their pod is evicted by its node or by the API, deleted, or forgotten', async () => {
    const jobs = open();
    const one = job('exec sleep 1000', { parts: 4 });
    const [id = ''] = await jobs.submit([one]);
    const told = ends(jobs, one, id);
    const [first = '', second = '', third = '', fourth = ''] = await running(one.name, 4);
    node.evict(first);
    await server.do('POST', `${podPath(second)}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: second, namespace },
      deleteOptions: { gracePeriodSeconds: 1 },
    });
    await server.do('DELETE', podPath(third), { gracePeriodSeconds: 1 });
    await server.do('PATCH', podPath(fourth), { metadata: { finalizers: null } }, 'application/merge-patch+json');
    await server.do('DELETE', podPath(fourth), { gracePeriodSeconds: 0 });
    const reasons = [/Evicted|TerminationByKubelet/, /EvictionByEvictionAPI/, /./, /./];
    const all = await told;
    // What was asked to end may say so itself.
    const ending = expect.stringMatching(/^(lost|exited)$/) as string;
    expect(all).toMatchObject([{ kind: 'lost' }, { kind: 'lost' }, { kind: ending }, { kind: 'lost' }]);
    // The job has not counted the one that was forgotten, and makes another, which nobody waits for.
    await vi.waitFor(() => expect(node.running()).toEqual([]), { timeout: WAIT_MS, interval: 100 });
    for (const [at, reason] of reasons.entries())
      if (at !== 2) expect((all[at] as { reason: string }).reason).toMatch(reason);
  });

  it('are lost where somebody deletes the job', async () => {
    const jobs = open();
    const [started, held] = [job('exec sleep 1000'), job('true', { cpu: 1000 })];
    const ids = await jobs.submit([started, held]);
    await running(started.name);
    const told = [started, held].map((one, at) => ends(jobs, one, ids[at] ?? ''));
    for (const { name } of [started, held]) await server.do('DELETE', `${jobPath(name)}?propagationPolicy=Background`);
    expect((await Promise.all(told)).flat().map(({ kind }) => kind)).toEqual([
      expect.stringMatching(/lost|exited/),
      'lost',
    ]);
  });

  it('are lost where their node is, however long its pods stay', async () => {
    await alone();
    await template('brief', {
      terminationGracePeriodSeconds: 1,
      nodeSelector: { on: 'other' },
      containers: [{ name: 'step', image: 'unused' }],
    });
    const other = await startNode(server, { name: 'node-2', variables: { PATH } });
    other.labels['on'] = 'other';
    const jobs = open({ template: 'brief', lostMs: 1500 });
    const one = job('exec sleep 1000', { parts: 2 });
    const [id = ''] = await jobs.submit([one]);
    const told = ends(jobs, one, id);
    const pods = await running(one.name, 2, other);
    other.lose();
    for (const pod of pods) await server.do('DELETE', podPath(pod));
    expect(await told).toMatchObject(
      [0, 1].map(() => ({ kind: 'lost', reason: expect.stringMatching(/its node node-2 does not say/) as string })),
    );
    // Nor does a cancel wait for it.
    await jobs.cancel([{ name: one.name, id }]);
    await other.stop();
    await server.do('DELETE', '/api/v1/nodes/node-2');
  });

  it('wait for a node that takes them, and say so', async () => {
    const { logger, said } = saying();
    await alone();
    await template('picky', { nodeSelector: { disk: 'fast' }, containers: [{ name: 'step', image: 'unused' }] });
    const jobs = open({ template: 'picky', startLimitMs: 500, logger });
    const one = job('exit 6');
    const [id = ''] = await jobs.submit([one]);
    const told = ends(jobs, one, id);
    await vi.waitFor(
      () => expect(said.join()).toMatch(/waits: no node takes its pod: 0\/1 nodes are available/),
      WAIT_MS,
    );
    node.labels['disk'] = 'fast';
    expect(await told).toMatchObject([{ code: 6 }]);
  });

  describe('whose pods are not admitted', () => {
    const quota = (name: string, hard: Readonly<Record<string, string>>) =>
      server.do('POST', `/api/v1/namespaces/${namespace}/resourcequotas`, { metadata: { name }, spec: { hard } });

    it('by a quota that is full, run as others end', async () => {
      await alone();
      await quota('few', { pods: '2' });
      const { logger, said } = saying();
      const one = job('sleep 1; exit 5', { parts: 5 });
      const told = await run(open({ startLimitMs: 1000, logger }), one);
      expect(told.map((end) => end.kind === 'exited' && end.code)).toEqual([5, 5, 5, 5, 5]);
      expect(said.join()).toMatch(/exceeded quota: few/);
    });

    it('by a quota that is too small for one, are refused with its words', async () => {
      await alone();
      await quota('small', { 'requests.cpu': '500m' });
      const told = await run(open({ startLimitMs: 1000 }), job('true', { parts: 3, cpu: 2 }));
      expect(told).toMatchObject(
        [0, 1, 2].map(() => ({
          kind: 'refused',
          reason: expect.stringMatching(/exceeded quota: small.*limited: requests\.cpu=500m/) as string,
        })),
      );
    });

    it('by a policy, are refused with its words, and leave no job', async () => {
      await alone();
      const enforce = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      await server.do(
        'PATCH',
        `/api/v1/namespaces/${namespace}`,
        { metadata: { labels: enforce } },
        'application/merge-patch+json',
      );
      const one = job('true', { parts: 2 });
      expect(await run(open({ startLimitMs: 1000 }), one)).toMatchObject(
        [0, 1].map(() => ({
          kind: 'refused',
          reason: expect.stringMatching(/violates PodSecurity "restricted/) as string,
        })),
      );
      await vi.waitFor(async () => expect((await server.ask('GET', jobPath(one.name))).status).toBe(404), WAIT_MS);
    });

    it('say so where events may not be listed', async () => {
      await alone();
      await quota('none', { pods: '0' });
      const rules = DRIVER_RULES.filter(({ resources }) => !resources.includes('events'));
      const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/headrace`;
      await server.do('PATCH', path, { rules }, 'application/merge-patch+json');
      const { logger, said } = saying();
      const jobs = open({ startLimitMs: 1000, logger });
      const one = job('true');
      const [id = ''] = await jobs.submit([one]);
      void ends(jobs, one, id).catch(() => {});
      await vi.waitFor(() => expect(said.join()).toMatch(/may not be listed.*describe job headrace-/), WAIT_MS);
      await vi.waitFor(() => expect([...(jobs.waits?.().values() ?? [])].join()).toMatch(/may not be listed/), WAIT_MS);
      await jobs.cancel([{ name: one.name, id }]);
    });

    it('count jobs against a quota all at once, and every one is made', async () => {
      await alone();
      await quota('many', { 'count/jobs.batch': '100' });
      const jobs = open();
      const all = Array.from({ length: 40 }, () => job('true'));
      const ids = await jobs.submit(all);
      const told = await Promise.all(all.map((one, at) => ends(jobs, one, ids[at] ?? '')));
      expect(told.flat().map((end) => end.kind === 'exited' && end.code)).toEqual(all.map(() => 0));
    });
  });

  it('are ended by a cancel, which resolves once none of them runs', async () => {
    const jobs = open();
    const script = 'trap "exit 143" TERM; setsid sleep 1000 & sleep 1000 & wait';
    const [plain, many] = [job(script), job(script, { parts: 20 })];
    const ids = await jobs.submit([plain, many]);
    await running(plain.name);
    await jobs.cancel([plain, many].map(({ name }, at) => ({ name, id: ids[at] ?? '' })));
    expect(node.running()).toEqual([]);
    for (const { name } of [plain, many]) {
      expect(await podsOf(name)).toEqual([]);
      expect((await server.ask('GET', jobPath(name))).status).toBe(404);
    }
    expect(await jobs.find([plain.name])).toEqual([undefined]);
  });

  describe('when the API server', () => {
    beforeAll(async () => void (await alone()));

    it('throttles, are submitted and told of once it takes them', async () => {
      const jobs = open({ quietMs: 2000 });
      const first = job('sleep 2; exit 4', { parts: 2 });
      const [id = ''] = await jobs.submit([first]);
      const told = ends(jobs, first, id);
      await running(first.name, 2);
      turnedAway = 0;
      isBusy = true;
      gate.cut();
      const second = job('exit 7');
      const submitted = open().submit([second]);
      await vi.waitFor(() => expect(turnedAway).toBeGreaterThan(5), { timeout: WAIT_MS, interval: 50 });
      await vi.waitFor(() => expect(node.running()).toEqual([]), { timeout: WAIT_MS, interval: 50 });
      // As often as it is asked to: every second, and later.
      expect(turnedAway).toBeLessThan(40);
      isBusy = false;
      gate.cut();
      const [other = ''] = await submitted;
      expect(await told).toMatchObject([{ code: 4 }, { code: 4 }]);
      expect(await ends(open(), second, other)).toMatchObject([{ code: 7 }]);
    });

    it('is killed and starts again, are submitted and told of all the same', async () => {
      const jobs = open();
      const one = job('sleep 2; exit 4', { parts: 2 });
      const [id = ''] = await jobs.submit([one]);
      const told = ends(jobs, one, id);
      await running(one.name, 2);
      await server.killApi();
      const late = job('exit 8');
      const submitted = jobs.submit([late]);
      await sleepMs(3000);
      await server.startApi();
      expect(await told).toMatchObject([{ code: 4 }, { code: 4 }]);
      expect(await ends(jobs, late, (await submitted)[0] ?? '')).toEqual([
        { job: late.name, part: 0, kind: 'exited', code: 8 },
      ]);
      expect((await podsOf(one.name)).map((pod) => node.starts.get(`${namespace}/${pod}`))).toEqual([1, 1]);
    });

    it('cannot be reached for a while, are told of afterwards', async () => {
      const jobs = open();
      const one = job('sleep 1; exit 4', { parts: 2 });
      const [id = ''] = await jobs.submit([one]);
      const told = ends(jobs, one, id);
      await running(one.name, 2);
      gate.refuse();
      await vi.waitFor(() => expect(node.running()).toEqual([]), WAIT_MS);
      await sleepMs(1000);
      gate.admit();
      expect(await told).toMatchObject([{ code: 4 }, { code: 4 }]);
    });

    it('falls silent on watches that stay open, are told of by new ones', async () => {
      const jobs = open({ quietMs: 2000 });
      const one = job('sleep 1; exit 4', { parts: 2 });
      const [id = ''] = await jobs.submit([one]);
      const told = ends(jobs, one, id);
      await running(one.name, 2);
      gate.holdBack();
      await vi.waitFor(() => expect(node.running()).toEqual([]), WAIT_MS);
      gate.admit();
      expect(await told).toMatchObject([{ code: 4 }, { code: 4 }]);
    });

    it('stays away, are given up with what to do about it', async () => {
      gate.refuse();
      await expect(open({ giveUpMs: 500 }).submit([job('true')])).rejects.toMatchObject({
        code: 'HR_SERVER_UNREACHABLE',
        message: expect.stringMatching(/kubectl get jobs.*resume the run/) as string,
      });
    });

    it('lets nobody list pods, are not made', async () => {
      vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('other')));
      const one = job('true');
      await expect(open().submit([one])).rejects.toMatchObject({
        code: 'HR_CONFIG',
        message: expect.stringMatching(/User "other" cannot list resource.*grant it/) as string,
      });
      expect((await server.ask('GET', jobPath(one.name))).status).toBe(404);
      vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver'), gate.port));
    });

    it('has no such namespace, are refused with its words', async () => {
      vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('admin')));
      const told = await run(open({ namespace: 'nowhere' }), job('true'));
      expect(told).toMatchObject([
        { kind: 'refused', reason: expect.stringMatching(/namespaces "nowhere" not found/) as string },
      ]);
      vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver'), gate.port));
    });
  });

  describe('sign in', () => {
    const with_ = async (user: object): Promise<readonly PartEnd[]> => {
      vi.stubEnv('KUBECONFIG', server.kubeconfig(user));
      const all = await run(open(), job('exit 9'));
      vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver'), gate.port));
      return all;
    };
    const data = (text: string): string => Buffer.from(text).toString('base64');
    const file = (name: string, text: string): string => {
      const path = join(server.folder, name);
      writeFileSync(path, text, { mode: 0o700 });
      chmodSync(path, 0o700);
      return path;
    };

    it('by a certificate', async () => {
      const user = { 'client-certificate-data': data(server.client.cert), 'client-key-data': data(server.client.key) };
      expect(await with_(user)).toMatchObject([{ code: 9 }]);
    });

    it('by a file that holds a token', async () => {
      file('token', 'driver-token\n');
      expect(await with_({ tokenFile: 'token' })).toMatchObject([{ code: 9 }]);
    });

    it('by a program, asked again once its token is no longer taken', async () => {
      const count = join(server.folder, 'asked');
      // The first time a token that has run out.
      const command = file(
        'sign-in.sh',
        `#!/bin/sh
test -n "$KUBERNETES_EXEC_INFO" || exit 1
if [ -e ${count} ]; then token=driver-token; else token=stale; fi
echo x >> ${count}
echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"kind\\":\\"ExecCredential\\",\\"status\\":{\\"token\\":\\"$token\\"}}"`,
      );
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' };
      expect(await with_({ exec })).toMatchObject([{ code: 9 }]);
    });

    it('in vain, and say what to do', async () => {
      const refused = async (user: object): Promise<string> => {
        vi.stubEnv('KUBECONFIG', server.kubeconfig(user));
        const error: unknown = await open({ giveUpMs: 1500 })
          .submit([job('true')])
          .catch((thrown: unknown) => thrown);
        vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver'), gate.port));
        expect(error).toMatchObject({ code: 'HR_CONFIG' });
        return (error as Error).message;
      };
      expect(await refused({ token: 'wrong' })).toMatch(/does not take the credentials.*Unauthorized.*renew them/);
      const exec = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: 'sign-in-nowhere',
        interactiveMode: 'Never',
      };
      expect(await refused({ exec })).toMatch(/sign-in-nowhere cannot sign in.*ENOENT.*install it/);
    });
  });

  const template = (name: string, spec: object): Promise<unknown> =>
    server.do('POST', `/api/v1/namespaces/${namespace}/podtemplates`, { metadata: { name }, template: { spec } });

  describe('by a template', () => {
    it('have what it says, with command, variables and size of their own', async () => {
      await alone();
      await template('step', {
        terminationGracePeriodSeconds: 7,
        tolerations: [{ key: 'gpu', operator: 'Exists' }],
        containers: [
          {
            name: 'step',
            image: 'unused',
            env: [{ name: 'REGION', value: 'north' }],
            resources: { limits: { 'example.com/gpu': '1' } },
          },
        ],
      });
      const one = job('echo "$REGION $OWN"', { env: { OWN: 'yes' } });
      expect(await run(open({ template: 'step' }), one)).toMatchObject([{ code: 0 }]);
      expect(node.log((await podsOf(one.name))[0] ?? '')).toBe('north yes\n');
      const { spec } = (await server.do('GET', jobPath(one.name))).spec.template;
      expect(spec).toMatchObject({ terminationGracePeriodSeconds: 7, tolerations: [{ key: 'gpu' }] });
      expect(spec.containers[0]).toMatchObject({
        image: 'headrace',
        resources: { limits: { 'example.com/gpu': '1' } },
      });
    });

    it('end with their step, whatever else runs beside it', async () => {
      await alone();
      await template('mesh', {
        terminationGracePeriodSeconds: 1,
        initContainers: [{ name: 'proxy', image: 'mesh', restartPolicy: 'Always', command: ['sleep', '1000'] }],
        containers: [{ name: 'agent', image: 'agent', command: ['sleep', '1000'] }],
      });
      const one = job('exit 3');
      const jobs = open({ template: 'mesh' });
      expect(await run(jobs, one)).toMatchObject([{ kind: 'exited', code: 3 }]);
      await vi.waitFor(async () => expect(node.running()).toEqual([]), { timeout: WAIT_MS, interval: 200 });
    });

    it('that is not there, are not made', async () => {
      await expect(open({ template: 'nobody' }).submit([job('true')])).rejects.toMatchObject({
        code: 'HR_CONFIG',
        message: expect.stringMatching(/no PodTemplate nobody.*make it/) as string,
      });
    });
  });

  it('of two runs at once are each told their own', async () => {
    const [one, other] = [job('exit 1', { parts: 10 }), job('exit 2', { parts: 10 })];
    const told = await Promise.all([run(open({ run: 'run-a' }), one), run(open({ run: 'run-b' }), other)]);
    expect(told.map((ofRun) => ofRun.map((end) => end.kind === 'exited' && end.code))).toEqual([
      Array(10).fill(1),
      Array(10).fill(2),
    ]);
  });

  it('of thousands of parts are told of one by one', async () => {
    await alone();
    const one = job('exit $((JOB_COMPLETION_INDEX % 3))', { parts: 2000 });
    const jobs = open();
    const [id = ''] = await jobs.submit([one]);
    const told = await ends(jobs, one, id, 900_000);
    expect(told.map((end) => end.kind === 'exited' && end.code)).toEqual(
      Array.from({ length: 2000 }, (_, part) => part % 3),
    );
  }, 1_200_000);
});

const sleepMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
