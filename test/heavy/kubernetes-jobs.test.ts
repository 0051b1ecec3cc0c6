// The port of a cluster's jobs on a real control plane of Kubernetes, and what goes wrong between a driver, the API server and nodes.

import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
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
  const ends = (jobs: ClusterJobs, one: ClusterJob, id: string, waitMs = WAIT_MS) => partEnds(jobs, one, id, waitMs);
  const run = async (jobs: ClusterJobs, one: ClusterJob, waitMs = WAIT_MS): Promise<readonly PartEnd[]> => {
    const [id = ''] = await jobs.submit([one]);
    return await ends(jobs, one, id, waitMs);
  };
  /** Once all its parts run; with what is told of them in the end, and the names of its pods. */
  const begun = async (jobs: ClusterJobs, one: ClusterJob, on = node) => {
    const [id = ''] = await jobs.submit([one]);
    const told = ends(jobs, one, id);
    return { id, told, pods: await running(one.name, one.parts, on) };
  };
  const refusedBy = (reason: RegExp, parts = 1) =>
    Array.from({ length: parts }, () => ({ kind: 'refused', reason: expect.stringMatching(reason) as string }));
  const expectStill = () => expect.poll(() => node.running(), { timeout: WAIT_MS }).toEqual([]);
  const expectFails = (submitted: Promise<unknown>, code: string, message: RegExp) =>
    expect(submitted).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  const podsOf = async (name: string): Promise<readonly string[]> => {
    const { items } = await server.do('GET', `/api/v1/namespaces/${namespace}/pods?labelSelector=job-name%3D${name}`);
    return (items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
  };
  const jobPath = (name: string): string => `/apis/batch/v1/namespaces/${namespace}/jobs/${name}`;
  const podPath = (name: string): string => `/api/v1/namespaces/${namespace}/pods/${name}`;
  /** Names of its pods, once so many of them run. */
  const running = async (name: string, count = 1, on = node): Promise<readonly string[]> => {
    const found = () => on.running().flatMap((key) => new RegExp(`/(${name}-.*)`).exec(key)?.[1] ?? []);
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
    const one = jobOf('echo "$A:$JOB_COMPLETION_INDEX"; exit $JOB_COMPLETION_INDEX', { parts: 5, env: { A: 'x y' } });
    const told = await run(open(), one);
    expect(told).toEqual([0, 1, 2, 3, 4].map((part) => ({ job: one.name, part, kind: 'exited', code: part })));
    const pods = await podsOf(one.name);
    expect(pods.map((pod) => node.log(pod)).toSorted()).toEqual([0, 1, 2, 3, 4].map((part) => `x y:${part}\n`));
  });

  it.each([3, 75, 78])('tell exit code %i, and try no part again', async (code) => {
    const one = jobOf(`exit ${code}`, { parts: 2 });
    expect(await run(open(), one)).toMatchObject([{ code }, { code }]);
    const status = async () => (await server.do('GET', jobPath(one.name))).status;
    await expect.poll(status, { timeout: WAIT_MS }).toMatchObject({ failed: 2, failedIndexes: '0,1' });
    expect(await podsOf(one.name)).toHaveLength(2);
  });

  it('are found by name, by another driver too, and submitted once', async () => {
    const [jobs, other] = [open(), open()];
    const one = jobOf('sleep 1; exit 4', { parts: 2 });
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
    const of = (more: Partial<ClusterJob>): ClusterJob => jobOf('exec sleep 1000', more);
    const [hungry, slow] = [of({ memoryBytes: 2 ** 30 }), of({ timeoutMs: 1500 })];
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
    const by = (image: string) => run(open({ startLimitMs: 2000, image }), jobOf('true'));
    const pull = /missing\/image:1 cannot be pulled \(ImagePullBackOff/;
    expect(await by('missing/image:1')).toMatchObject(refusedBy(pull));
    expect(await by('No Image')).toMatchObject(refusedBy(/No Image is no image’s name/));
    const secrets = { API_KEY: { secretKeyRef: { name: 'shop', key: 'url' } } };
    const make = /cannot be made \(CreateContainerConfigError: .*"shop" not found\)/;
    expect(await run(jobs, jobOf('true', { secrets }))).toMatchObject(refusedBy(make));
    const patient = open();
    const one = jobOf('echo "$API_KEY"', { secrets });
    const [id = ''] = await patient.submit([one]);
    const stringData = { url: 'postgres://s3cr3t' };
    await server.do('POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: 'shop' }, stringData });
    expect(await ends(patient, one, id)).toMatchObject([{ code: 0 }]);
    expect(node.log((await podsOf(one.name))[0] ?? '')).toBe('postgres://s3cr3t\n');
    expect(JSON.stringify(await server.do('GET', jobPath(one.name)))).not.toContain('s3cr3t');
  });

  it('are lost where their pod is evicted by its node or by the API, deleted, or forgotten', async () => {
    const { told, pods } = await begun(open(), jobOf('exec sleep 1000', { parts: 4 }));
    const [first = '', second = '', third = '', fourth = ''] = pods;
    node.evict(first);
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: second, namespace } };
    const deleteOptions = { gracePeriodSeconds: 1 };
    await server.do('POST', `${podPath(second)}/eviction`, { ...eviction, deleteOptions });
    await server.do('DELETE', podPath(third), { gracePeriodSeconds: 1 });
    await server.do('PATCH', podPath(fourth), { metadata: { finalizers: null } }, 'application/merge-patch+json');
    await server.do('DELETE', podPath(fourth), { gracePeriodSeconds: 0 });
    const reasons = [/Evicted|TerminationByKubelet/, /EvictionByEvictionAPI/, /./, /./];
    const all = await told;
    // What was asked to end may say so itself.
    const ending = expect.stringMatching(/^(lost|exited)$/) as string;
    expect(all).toMatchObject([{ kind: 'lost' }, { kind: 'lost' }, { kind: ending }, { kind: 'lost' }]);
    // The job has not counted the one that was forgotten, and makes another, which nobody waits for.
    await expectStill();
    for (const [at, reason] of reasons.entries())
      if (at !== 2) expect((all[at] as { reason: string }).reason).toMatch(reason);
  });

  it('are lost where somebody deletes the job', async () => {
    const jobs = open();
    const [started, held] = [jobOf('exec sleep 1000'), jobOf('true', { cpu: 1000 })];
    const ids = await jobs.submit([started, held]);
    await running(started.name);
    const told = [started, held].map((one, at) => ends(jobs, one, ids[at] ?? ''));
    for (const { name } of [started, held]) await server.do('DELETE', `${jobPath(name)}?propagationPolicy=Background`);
    const [one, other] = (await Promise.all(told)).flat();
    expect([one?.kind, other?.kind]).toEqual([expect.stringMatching(/lost|exited/), 'lost']);
  });

  it('are lost where their node is, however long its pods stay', async () => {
    await alone();
    const containers = [{ name: 'step', image: 'unused' }];
    await template('brief', { terminationGracePeriodSeconds: 1, nodeSelector: { on: 'other' }, containers });
    const other = await startNode(server, { name: 'node-2', variables: { PATH } });
    other.labels['on'] = 'other';
    const jobs = open({ template: 'brief', lostMs: 1500 });
    const one = jobOf('exec sleep 1000', { parts: 2 });
    const { id, told, pods } = await begun(jobs, one, other);
    other.lose();
    for (const pod of pods) await server.do('DELETE', podPath(pod));
    const lost = { kind: 'lost', reason: expect.stringMatching(/its node node-2 does not say/) as string };
    expect(await told).toMatchObject([lost, lost]);
    // Nor does a cancel wait for it.
    await jobs.cancel([{ name: one.name, id }]);
    await other.stop();
    await server.do('DELETE', '/api/v1/nodes/node-2');
  });

  describe('whose pods are not admitted', () => {
    const quota = (name: string, hard: Readonly<Record<string, string>>) =>
      server.do('POST', `/api/v1/namespaces/${namespace}/resourcequotas`, { metadata: { name }, spec: { hard } });

    it('by a quota that is full, run as others end', async () => {
      await alone();
      await quota('few', { pods: '2' });
      const { logger, said } = saying();
      const one = jobOf('sleep 1; exit 5', { parts: 5 });
      const told = await run(open({ startLimitMs: 1000, logger }), one);
      expect(told.map((end) => end.kind === 'exited' && end.code)).toEqual([5, 5, 5, 5, 5]);
      expect(said.join()).toMatch(/exceeded quota: few/);
    });

    it('by a quota that is too small for one, are refused with its words', async () => {
      await alone();
      await quota('small', { 'requests.cpu': '500m' });
      const told = await run(open({ startLimitMs: 1000 }), jobOf('true', { parts: 3, cpu: 2 }));
      expect(told).toMatchObject(refusedBy(/exceeded quota: small.*limited: requests\.cpu=500m/, 3));
    });

    it('by a policy, are refused with its words, and leave no job', async () => {
      await alone();
      const enforce = { 'pod-security.kubernetes.io/enforce': 'restricted' };
      const merge = 'application/merge-patch+json';
      await server.do('PATCH', `/api/v1/namespaces/${namespace}`, { metadata: { labels: enforce } }, merge);
      const one = jobOf('true', { parts: 2 });
      const told = await run(open({ startLimitMs: 1000 }), one);
      expect(told).toMatchObject(refusedBy(/violates PodSecurity "restricted/, 2));
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
      const one = jobOf('true');
      const [id = ''] = await jobs.submit([one]);
      void ends(jobs, one, id).catch(() => {});
      await vi.waitFor(() => expect(said.join()).toMatch(/may not be listed.*describe job headrace-/), WAIT_MS);
      await vi.waitFor(() => expect([...(jobs.waits?.().values() ?? [])].join()).toMatch(/may not be listed/), WAIT_MS);
      await jobs.cancel([{ name: one.name, id }]);
    });
  });

  it('are ended by a cancel, which resolves once none of them runs', async () => {
    const jobs = open();
    const script = 'trap "exit 143" TERM; setsid sleep 1000 & sleep 1000 & wait';
    const [plain, many] = [jobOf(script), jobOf(script, { parts: 20 })];
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
      const { told } = await begun(open({ quietMs: 2000 }), jobOf('sleep 2; exit 4', { parts: 2 }));
      turnedAway = 0;
      isBusy = true;
      gate.cut();
      const second = jobOf('exit 7');
      const submitted = open().submit([second]);
      await expect.poll(() => turnedAway, { timeout: WAIT_MS }).toBeGreaterThan(5);
      await expectStill();
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
      const one = jobOf('sleep 2; exit 4', { parts: 2 });
      const { told } = await begun(jobs, one);
      await server.killApi();
      const late = jobOf('exit 8');
      const submitted = jobs.submit([late]);
      await sleep(3000);
      await server.startApi();
      expect(await told).toMatchObject([{ code: 4 }, { code: 4 }]);
      const end = { job: late.name, part: 0, kind: 'exited', code: 8 };
      expect(await ends(jobs, late, (await submitted)[0] ?? '')).toEqual([end]);
      expect((await podsOf(one.name)).map((pod) => node.starts.get(`${namespace}/${pod}`))).toEqual([1, 1]);
    });

    it('stays away, are given up with what to do about it', async () => {
      gate.refuse();
      const submitted = open({ giveUpMs: 500 }).submit([jobOf('true')]);
      await expectFails(submitted, 'HR_SERVER_UNREACHABLE', /kubectl get jobs.*resume the run/);
    });

    it('has no such namespace, are refused with its words', async () => {
      const told = await as(server.tokenOf('admin'), () => run(open({ namespace: 'nowhere' }), jobOf('true')));
      expect(told).toMatchObject(refusedBy(/namespaces "nowhere" not found/));
    });
  });

  /** With another user of the kubeconfig, and past the gate. */
  const as = async <R>(user: object, work: () => Promise<R>): Promise<R> => {
    vi.stubEnv('KUBECONFIG', server.kubeconfig(user));
    return await work().finally(() => vi.stubEnv('KUBECONFIG', server.kubeconfig(server.tokenOf('driver'), gate.port)));
  };

  it('sign in by a certificate, and with a wrong token say what to do', async () => {
    const data = (text: string): string => Buffer.from(text).toString('base64');
    const { cert, key } = server.client;
    const user = { 'client-certificate-data': data(cert), 'client-key-data': data(key) };
    expect(await as(user, () => run(open(), jobOf('exit 9')))).toMatchObject([{ code: 9 }]);
    const wrong = as({ token: 'wrong' }, () => open({ giveUpMs: 1500 }).submit([jobOf('true')]));
    await expectFails(wrong, 'HR_CONFIG', /does not take the credentials.*Unauthorized.*renew them/);
  });

  const template = (name: string, spec: object): Promise<unknown> =>
    server.do('POST', `/api/v1/namespaces/${namespace}/podtemplates`, { metadata: { name }, template: { spec } });

  describe('by a template', () => {
    it('have what it says, with command, variables and size of their own', async () => {
      await alone();
      const resources = { limits: { 'example.com/gpu': '1' } };
      const container = { name: 'step', image: 'unused', env: [{ name: 'REGION', value: 'north' }], resources };
      const tolerations = [{ key: 'gpu', operator: 'Exists' }];
      await template('step', { terminationGracePeriodSeconds: 7, tolerations, containers: [container] });
      const one = jobOf('echo "$REGION $OWN"', { env: { OWN: 'yes' } });
      expect(await run(open({ template: 'step' }), one)).toMatchObject([{ code: 0 }]);
      expect(node.log((await podsOf(one.name))[0] ?? '')).toBe('north yes\n');
      const { spec } = (await server.do('GET', jobPath(one.name))).spec.template;
      expect(spec).toMatchObject({ terminationGracePeriodSeconds: 7, tolerations: [{ key: 'gpu' }] });
      expect(spec.containers[0]).toMatchObject({ image: 'headrace', resources });
    });

    it('end with their step, whatever else runs beside it', async () => {
      await alone();
      const command = ['sleep', '1000'];
      const initContainers = [{ name: 'proxy', image: 'mesh', restartPolicy: 'Always', command }];
      const containers = [{ name: 'agent', image: 'agent', command }];
      await template('mesh', { terminationGracePeriodSeconds: 1, initContainers, containers });
      expect(await run(open({ template: 'mesh' }), jobOf('exit 3'))).toMatchObject([{ kind: 'exited', code: 3 }]);
      await expectStill();
    });

    it('that is not there, are not made', async () => {
      const submitted = open({ template: 'nobody' }).submit([jobOf('true')]);
      await expectFails(submitted, 'HR_CONFIG', /no PodTemplate nobody.*make it/);
    });
  });

  it('of two runs at once are each told their own', async () => {
    const all = [1, 2].map((code) => run(open({ run: `run-${code}` }), jobOf(`exit ${code}`, { parts: 10 })));
    const codes = (await Promise.all(all)).map((told) => told.map((end) => end.kind === 'exited' && end.code));
    expect(codes).toEqual([Array(10).fill(1), Array(10).fill(2)]);
  });

  it('of thousands of parts are told of one by one', async () => {
    await alone();
    const told = await run(open(), jobOf('exit $((JOB_COMPLETION_INDEX % 3))', { parts: 2000 }), 900_000);
    const codes = Array.from({ length: 2000 }, (_, part) => part % 3);
    expect(told.map((end) => end.kind === 'exited' && end.code)).toEqual(codes);
  }, 1_200_000);
});
