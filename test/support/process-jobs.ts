// A cluster of this machine's processes, or of this process alone, for what every cluster has in common.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readSlicePart } from '../../src/orchestrator/committed/slice-document.ts';
import { exitCodeOf, runTasks } from '../../src/orchestrator/index.ts';
import type { ClusterJob, ClusterJobs, PartEnd } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';
import type { ObjectStore } from '../../src/storage/index.ts';
import { createInlineExecutor } from './inline-executor.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

export const STEP_COMMAND = [process.execPath, '--conditions=headrace-source', MAIN];

/** What runs a part. */
interface Container {
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Its exit code, or the signal that ended it. */
  readonly gone: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

interface Job {
  readonly id: string;
  readonly spec: ClusterJob;
  readonly running: Map<number, Container>;
  readonly ends: PartEnd[];
}

export type ProcessCluster = ReturnType<typeof createProcessCluster>;

/**
 * `cwd` and `variables` are those of the containers; `secretValues` what the cluster itself holds. With `inline`, the artifact store, parts
 * run functions in this process.
 */
export function createProcessCluster(
  cwd: string,
  variables: Readonly<Record<string, string>>,
  secretValues: Readonly<Record<string, string>> = {},
  inline?: ObjectStore,
) {
  const jobs = new Map<string, Job>();
  const listeners = new Set<(job: string, ends: readonly PartEnd[]) => void>();
  let made = 0;
  let failing = 0;
  const tell = (job: Job, end: PartEnd): void => {
    job.ends.push(end);
    for (const listen of listeners) listen(job.spec.name, [end]);
  };
  const start = (job: Job, part: number): void => {
    const [command = '', ...args] = job.spec.command;
    const env: Record<string, string> = { ...variables, ...job.spec.env, JOB_COMPLETION_INDEX: String(part) };
    for (const [name, ref] of Object.entries(job.spec.secrets))
      if ('secretKeyRef' in ref) env[name] = secretValues[`${ref.secretKeyRef.name}/${ref.secretKeyRef.key}`] ?? '';
    const container =
      inline === undefined
        ? startProcess(spawn(command, args, { cwd, env, stdio: 'ignore' }))
        : startInline(inline, args[args.indexOf('--slice') + 1] ?? '', part);
    job.running.set(part, container);
    void container.gone.then(({ code, signal }) => {
      job.running.delete(part);
      const at = { job: job.spec.name, part };
      if (jobs.get(job.spec.name) !== job) return;
      if (code !== null) tell(job, { ...at, kind: 'exited', code });
      else tell(job, { ...at, kind: 'lost', reason: `its container was ended by ${signal}` });
    });
  };
  const end = async (container: Container): Promise<void> => {
    const timer = setTimeout(() => container.kill('SIGKILL'), 20_000);
    container.kill('SIGTERM');
    await container.gone;
    clearTimeout(timer);
  };
  const remove = async (name: string): Promise<void> => {
    const job = jobs.get(name);
    if (job === undefined) return;
    jobs.delete(name);
    await Promise.all([...job.running.values()].map(end));
    const told = new Set(job.ends.map(({ part }) => part));
    for (let part = 0; part < job.spec.parts; part++)
      if (!told.has(part)) tell(job, { job: name, part, kind: 'lost', reason: 'its job was removed' });
  };
  const open = (): ClusterJobs => ({
    mostParts: 10_000,
    partVariable: 'JOB_COMPLETION_INDEX',
    async submit(specs) {
      if (failing > 0) {
        failing -= 1;
        throw new Error('the cluster is away');
      }
      return specs.map((spec) => {
        const known = jobs.get(spec.name);
        if (known !== undefined) return known.id;
        made += 1;
        const job = { id: `job-${made}`, spec, running: new Map<number, Container>(), ends: [] };
        jobs.set(spec.name, job);
        for (let part = 0; part < spec.parts; part++) start(job, part);
        return job.id;
      });
    },
    find: async (names) => names.map((name) => jobs.get(name)?.id),
    watch(watched, listen) {
      const names = new Set(watched.map(({ name }) => name));
      const hear = (name: string, ends: readonly PartEnd[]): void => {
        if (names.has(name)) listen(ends);
      };
      listeners.add(hear);
      setImmediate(() => {
        if (!listeners.has(hear)) return;
        for (const { name, parts } of watched) {
          const job = jobs.get(name);
          const gone = { job: name, kind: 'lost', reason: 'the cluster has no such job' } as const;
          listen(job === undefined ? Array.from({ length: parts }, (_, part) => ({ ...gone, part })) : [...job.ends]);
        }
      });
      return () => listeners.delete(hear);
    },
    async cancel(cancelled) {
      await Promise.all(cancelled.map(({ name }) => remove(name)));
    },
    async close() {},
  });
  return {
    jobs,
    /** A driver's view of it; each has its own, and it outlives them. */
    open,
    /** Ends a part's container as its node's end does. */
    async evict(name: string, part: number): Promise<void> {
      const container = jobs.get(name)?.running.get(part);
      if (container === undefined) throw new Error(`no part ${part} of ${name} runs`);
      container.kill('SIGKILL');
      await container.gone;
    },
    /** As somebody else does by hand. */
    remove,
    /** From now on the next calls throw. */
    failSubmits(count: number) {
      failing = count;
    },
    async stop() {
      await Promise.all([...jobs.keys()].map(remove));
    },
  };
}

function startProcess(child: ChildProcess): Container {
  const gone = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string,
  }));
  return { kill: (signal) => void child.kill(signal), gone };
}

/** As `headrace step --slice` does it. */
function startInline(objects: ObjectStore, slice: string, part: number): Container {
  const stopper = new AbortController();
  let killed: string | null = null;
  const run = async (): Promise<number> => {
    const { order, tasks } = await readSlicePart(objects, slice, part);
    const attempts = new Map(tasks.map(({ index, attempt }) => [index, attempt]));
    const executor = createInlineExecutor({ objects });
    const attempt = (index: number): number => attempts.get(index) ?? 1;
    const wanted = { spec: order, indexes: [...attempts.keys()], attempt, signal: stopper.signal };
    return exitCodeOf((await runTasks({ objects, executor }, wanted)).ends);
  };
  const ended = run().catch(() => 1);
  return {
    kill(signal) {
      killed ??= signal;
      stopper.abort();
    },
    gone: ended.then((code) => (killed === null ? { code, signal: null } : { code: null, signal: killed })),
  };
}
