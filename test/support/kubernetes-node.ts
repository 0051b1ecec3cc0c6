// Stands in for a node of a cluster: runs containers as processes. Every image is this machine, but those that begin with `missing/`.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Container, V1ContainerState, V1ContainerStateTerminated, V1Pod } from '@kubernetes/client-node';
import type { KubernetesClient } from './kubernetes-client.ts';

export interface NodeOptions {
  readonly name?: string;
  /** How many pods run at a time. */
  readonly slots?: number;
  /** What images have in their environment. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The longest between SIGTERM and SIGKILL, whatever pods say. */
  readonly mostGraceMs?: number;
}

export type StandInNode = Awaited<ReturnType<typeof startNode>>;

interface RunningPod {
  readonly key: string;
  readonly processes: Map<string, ChildProcess>;
  readonly states: Map<string, V1ContainerState>;
  /** What the pod is told to have ended by, in place of its containers' codes. */
  ending: { reason?: string; message?: string; conditions?: object[] } | undefined;
  hasLostMemory: boolean;
  isDeleted: boolean;
}

const CAPACITY_CPUS = 64;
const MERGE = 'application/strategic-merge-patch+json';

export async function startNode(server: KubernetesClient, options: NodeOptions = {}) {
  const { name = 'node-1', slots = 2, variables = {}, mostGraceMs = 20_000 } = options;
  const folder = mkdtempSync(join(server.folder, 'pods-'));
  const closed = new AbortController();
  const { signal } = closed;
  const labels: Record<string, string> = {};
  const known = new Map<string, V1Pod>();
  const bound = new Set<string>();
  const runningPods = new Map<string, RunningPod>();
  const queue: (() => void)[] = [];
  const starts = new Map<string, number>();
  let busy = 0;
  let isLost = false;

  const keyOf = ({ metadata }: V1Pod): string => `${metadata?.namespace}/${metadata?.name}`;
  const pathOf = ({ metadata }: V1Pod): string => `/api/v1/namespaces/${metadata?.namespace}/pods/${metadata?.name}`;

  /** As long as the API server is away. A pod that is gone needs no word. */
  const tell = async (method: string, path: string, body?: object, type?: string): Promise<void> => {
    while (!isLost && !signal.aborted) {
      const answer = await server.ask(method, path, body, type).catch(() => undefined);
      if (answer !== undefined && (answer.status < 300 || [404, 409, 422].includes(answer.status))) return;
      await sleep(100);
    }
  };
  const report = (pod: V1Pod, status: object): Promise<void> =>
    tell('PATCH', `${pathOf(pod)}/status`, { metadata: { uid: pod.metadata?.uid }, status }, MERGE);
  const remove = (pod: V1Pod): Promise<void> =>
    tell('DELETE', pathOf(pod), { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata?.uid } });

  const unfit = (pod: V1Pod): string | undefined => {
    const wanted = Object.entries(pod.spec?.nodeSelector ?? {});
    if (wanted.some(([key, value]) => labels[key] !== value))
      return "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    const cpus = (pod.spec?.containers ?? []).map(({ resources }) => cpusOf(resources?.requests?.['cpu'] ?? '0'));
    const sum = cpus.reduce((all, one) => all + one, 0);
    return sum > CAPACITY_CPUS ? '0/1 nodes are available: 1 Insufficient cpu.' : undefined;
  };

  const schedule = async (pod: V1Pod): Promise<void> => {
    const key = keyOf(pod);
    if (bound.has(key)) return;
    const why = unfit(pod);
    if (why !== undefined) {
      const told = pod.status?.conditions?.some(({ reason }) => reason === 'Unschedulable');
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: why };
      if (told !== true) await report(pod, { conditions: [condition] });
      return;
    }
    bound.add(key);
    const target = { apiVersion: 'v1', kind: 'Node', name };
    await tell('POST', `${pathOf(pod)}/binding`, { metadata: { name: pod.metadata?.name }, target });
  };

  const environmentOf = async (pod: V1Pod, container: V1Container): Promise<Record<string, string>> => {
    const env: Record<string, string> = { ...variables };
    const dataOf = async (name: string | undefined): Promise<Readonly<Record<string, string>>> => {
      const secret = await server.ask('GET', `/api/v1/namespaces/${pod.metadata?.namespace}/secrets/${name}`);
      if (secret.status === 404) throw new Error(`secret "${name}" not found`);
      return secret.body.data ?? {};
    };
    for (const { secretRef } of container.envFrom ?? [])
      for (const [variable, data] of Object.entries(await dataOf(secretRef?.name)))
        env[variable] = Buffer.from(data, 'base64').toString();
    for (const { name: variable, value, valueFrom } of container.env ?? []) {
      const field = /^metadata\.(annotations|labels)\['(.*)'\]$/.exec(valueFrom?.fieldRef?.fieldPath ?? '');
      const secret = valueFrom?.secretKeyRef;
      if (field !== null) {
        const from = field[1] === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations;
        env[variable] = from?.[field[2] ?? ''] ?? '';
      } else if (secret !== undefined) {
        const data = (await dataOf(secret.name))[secret.key];
        if (data === undefined) throw new Error(`couldn't find key ${secret.key} in Secret ${secret.name}`);
        env[variable] = Buffer.from(data, 'base64').toString();
      } else env[variable] = value ?? '';
    }
    return env;
  };

  /** Empty folders of the pod, in place of where its containers have them. */
  const placed = (pod: V1Pod, container: V1Container, word: string): string => {
    let text = word;
    for (const { mountPath, name: volume } of container.volumeMounts ?? []) {
      const place = join(folder, pod.metadata?.uid ?? '', volume);
      mkdirSync(place, { recursive: true });
      text = text.replaceAll(mountPath, place);
    }
    return text;
  };

  const start = (pod: V1Pod, one: RunningPod, container: V1Container, env: Record<string, string>): Promise<void> => {
    const [program = '', ...words] = [...(container.command ?? []), ...(container.args ?? [])].map((word) =>
      placed(pod, container, word),
    );
    const log = openSync(join(folder, `${pod.metadata?.name}.log`), 'a');
    const mine = ['--pid', '--fork', '--kill-child', '--mount-proc', program, ...words];
    const child = spawn('unshare', mine, { cwd: folder, env, stdio: ['ignore', log, log] });
    closeSync(log);
    one.processes.set(container.name, child);
    one.states.set(container.name, { running: {} });
    starts.set(one.key, (starts.get(one.key) ?? 0) + 1);
    return new Promise((resolve) =>
      child.once('exit', (code, by) => {
        one.processes.delete(container.name);
        const exitCode = code ?? 128 + (by === 'SIGTERM' ? 15 : 9);
        const message = exitCode === 0 ? undefined : lastWords(pod);
        const reason = exitCode === 0 ? 'Completed' : one.hasLostMemory ? 'OOMKilled' : 'Error';
        const terminated: V1ContainerStateTerminated = { exitCode, reason };
        if (message !== undefined) terminated.message = message;
        one.states.set(container.name, { terminated });
        resolve();
      }),
    );
  };
  const lastWords = (pod: V1Pod): string =>
    readFileSync(join(folder, `${pod.metadata?.name}.log`), 'utf8').slice(-2048);

  const statusOf = ({ name: of, image }: V1Container, state: object | undefined) =>
    state === undefined ? [] : [{ name: of, image, imageID: '', ready: false, restartCount: 0, state }];
  const statusesOf = (one: RunningPod, containers: readonly V1Container[]): object[] =>
    containers.flatMap((of) => statusOf(of, one.states.get(of.name)));
  const wait = (pod: V1Pod, of: V1Container, reason: string, message: string): Promise<void> =>
    report(pod, { phase: 'Pending', containerStatuses: statusOf(of, { waiting: { reason, message } }) });

  /** Undefined once it is not to start any more. */
  const prepare = async (pod: V1Pod, one: RunningPod, of: V1Container): Promise<Record<string, string> | undefined> => {
    for (let said = ''; ; await sleep(200)) {
      if (one.isDeleted || isLost || signal.aborted) return undefined;
      let why: readonly [string, string] | undefined;
      if (/[A-Z ]/.test(of.image ?? '')) why = ['InvalidImageName', `couldn't parse image name "${of.image}"`];
      else if (of.image?.startsWith('missing/') === true)
        why = ['ImagePullBackOff', `Back-off pulling image "${of.image}"`];
      else {
        const env = await environmentOf(pod, of).catch((error: unknown) => String(error));
        if (typeof env !== 'string') return env;
        why = ['CreateContainerConfigError', env];
      }
      if (why.join() !== said) await wait(pod, of, ...why);
      said = why.join();
    }
  };

  const run = async (pod: V1Pod, one: RunningPod): Promise<void> => {
    const { initContainers = [], containers, activeDeadlineSeconds } = pod.spec ?? { containers: [] };
    let deadline: NodeJS.Timeout | undefined;
    const statuses = (): object => ({
      initContainerStatuses: statusesOf(one, initContainers),
      containerStatuses: statusesOf(one, containers),
    });
    const sidecars = new Set(initContainers.flatMap((of) => (of.restartPolicy === 'Always' ? [of.name] : [])));
    const fail = (): boolean =>
      [...one.states].some(([of, { terminated }]) => (terminated?.exitCode ?? 0) !== 0 && !sidecars.has(of));
    const works: Promise<void>[] = [];
    if (activeDeadlineSeconds !== undefined)
      deadline = setTimeout(() => {
        const message = 'Pod was active on the node longer than the specified deadline';
        one.ending = { reason: 'DeadlineExceeded', message };
        end(one, mostGraceMs);
      }, activeDeadlineSeconds * 1000);
    for (const of of [...initContainers, ...containers]) {
      const env = fail() ? undefined : await prepare(pod, one, of);
      if (env === undefined) break;
      const over = start(pod, one, of, env);
      if (sidecars.has(of.name)) continue;
      if (initContainers.includes(of)) await over;
      else {
        const isLast = () => one.processes.size <= sidecars.size;
        works.push(over.then(() => (isLast() ? undefined : report(pod, { phase: 'Running', ...statuses() }))));
      }
    }
    if (one.processes.size > 0)
      await report(pod, { phase: 'Running', startTime: new Date().toISOString(), ...statuses() });
    await Promise.all(works);
    for (const of of sidecars) signalTo(one.processes.get(of), 'SIGKILL');
    clearTimeout(deadline);
    runningPods.delete(one.key);
    if (isLost) return;
    const isWell = works.length === containers.length && !fail() && one.ending === undefined;
    await report(pod, { phase: isWell ? 'Succeeded' : 'Failed', ...statuses(), ...one.ending });
  };

  const end = (one: RunningPod, graceMs: number): void => {
    for (const child of one.processes.values()) signalTo(child, 'SIGTERM');
    setTimeout(() => {
      for (const child of one.processes.values()) signalTo(child, 'SIGKILL');
    }, graceMs).unref();
  };

  const begin = async (pod: V1Pod): Promise<void> => {
    const key = keyOf(pod);
    const flags = { ending: undefined, hasLostMemory: false, isDeleted: false };
    const one: RunningPod = { key, processes: new Map(), states: new Map(), ...flags };
    runningPods.set(key, one);
    if (busy >= slots) await new Promise<void>((resolve) => queue.push(resolve));
    busy += 1;
    try {
      if (!one.isDeleted) await run(pod, one);
    } finally {
      runningPods.delete(key);
      busy -= 1;
      queue.shift()?.();
    }
    const now = known.get(key);
    if (now !== undefined && now.metadata?.deletionTimestamp !== undefined) await remove(now);
  };

  const look = (pod: V1Pod): void => {
    const key = keyOf(pod);
    const { phase } = pod.status ?? {};
    const one = runningPods.get(key);
    if (pod.metadata?.deletionTimestamp !== undefined) {
      if (one === undefined) {
        if (pod.spec?.nodeName === name || pod.spec?.nodeName === undefined) void remove(pod);
      } else if (!one.isDeleted) {
        one.isDeleted = true;
        end(one, Math.min((pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000, mostGraceMs));
      }
      return;
    }
    if (phase !== 'Pending' || one !== undefined) return;
    if (pod.spec?.nodeName === undefined) void schedule(pod);
    else if (pod.spec.nodeName === name && !starts.has(key)) void begin(pod);
  };

  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      const listed = await server.ask('GET', '/api/v1/pods').catch(() => undefined);
      if (listed?.status !== 200) {
        await sleep(100);
        continue;
      }
      known.clear();
      // As the API answers a list.
      for (const pod of listed.body.items as V1Pod[]) {
        known.set(keyOf(pod), pod);
        if (!isLost) look(pod);
      }
      const from = String(listed.body.metadata.resourceVersion);
      await server.watch(
        `/api/v1/pods?watch=true&resourceVersion=${from}`,
        (line) => {
          const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: V1Pod };
          if (type === 'ERROR') return;
          if (type === 'DELETED') {
            known.delete(keyOf(object));
            bound.delete(keyOf(object));
            const one = runningPods.get(keyOf(object));
            if (one !== undefined) end(one, 0);
          } else {
            known.set(keyOf(object), object);
            if (!isLost) look(object);
          }
        },
        signal,
      );
    }
  };

  const one = (pod: string): RunningPod => {
    const found = [...runningPods.values()].find(({ key }) => key === pod || key.endsWith(`/${pod}`));
    if (found === undefined) throw new Error(`no pod ${pod} runs here`);
    return found;
  };

  await server.do('POST', '/api/v1/nodes', { metadata: { name } });
  const following = follow();
  // What no node took may fit by now.
  const again = setInterval(() => {
    if (isLost) return;
    for (const pod of known.values()) if (pod.spec?.nodeName === undefined) look(pod);
  }, 500);
  return {
    /** Those that pods choose nodes by. */
    labels,
    /** Pods that run now, as `namespace/name`. */
    running: () => [...runningPods.values()].filter(({ processes }) => processes.size > 0).map(({ key }) => key),
    /** How many containers were started of each pod so far. */
    starts,
    log: (pod: string) => readFileSync(join(folder, `${pod.split('/').at(-1)}.log`), 'utf8'),
    killForMemory(pod: string) {
      const found = one(pod);
      found.hasLostMemory = true;
      end(found, 0);
    },
    /** As a kubelet does whose disk or memory is short. */
    evict(pod: string) {
      const found = one(pod);
      const reason = 'Evicted';
      const message = 'The node was low on resource: memory.';
      const condition = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message };
      found.ending = { reason, message, conditions: [condition] };
      end(found, 0);
    },
    /** The machine loses power: what runs is gone, and nobody is told. */
    lose() {
      isLost = true;
      for (const found of runningPods.values()) end(found, 0);
    },
    async stop() {
      clearInterval(again);
      isLost = true;
      for (const found of runningPods.values()) end(found, 0);
      closed.abort();
      await following;
      while (busy > 0 && [...runningPods.values()].some(({ processes }) => processes.size > 0)) await sleep(20);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** To the first process of its namespace, with which all the others end. */
function signalTo(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
    if (first === undefined || first === '') child.kill(signal);
    else process.kill(Number(first), signal);
  } catch {
    // gone
  }
}

/** As the API writes it. */
function cpusOf(text: string): number {
  const scale: Readonly<Record<string, number>> = { m: 0.001, k: 1000 };
  return Number.parseFloat(text) * (scale[text.at(-1) ?? ''] ?? 1);
}
