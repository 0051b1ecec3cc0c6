// A cluster of this machine's processes, for what every cluster has in common: jobs by name, parts that end by themselves or by
// force. What a real one does beside that is tested on real ones.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ClusterJob, ClusterJobs, PartEnd } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

export const STEP_COMMAND = [process.execPath, '--conditions=headrace-source', MAIN];

interface Job {
  readonly id: string;
  readonly spec: ClusterJob;
  readonly running: Map<number, ChildProcess>;
  readonly ends: PartEnd[];
}

export interface ProcessCluster {
  readonly jobs: Map<string, Job>;
  /** A driver's view of it; each has its own, and it outlives them. */
  open(): ClusterJobs;
  /** Ends a part's container as its node's end does. */
  evict(name: string, part: number): Promise<void>;
  /** As somebody else does by hand. */
  remove(name: string): Promise<void>;
  /** From now on the next calls throw. */
  failSubmits(count: number): void;
  stop(): Promise<void>;
}

/** `cwd` and `variables` are those of the containers; `secretValues` what the cluster itself holds. */
export function createProcessCluster(
  cwd: string,
  variables: Readonly<Record<string, string>>,
  secretValues: Readonly<Record<string, string>> = {},
): ProcessCluster {
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
    const child = spawn(command, args, { cwd, env, stdio: 'ignore' });
    job.running.set(part, child);
    child.once('exit', (code, signal) => {
      job.running.delete(part);
      const at = { job: job.spec.name, part };
      if (jobs.get(job.spec.name) !== job) return;
      if (code !== null) tell(job, { ...at, kind: 'exited', code });
      else tell(job, { ...at, kind: 'lost', reason: `its container was ended by ${signal}` });
    });
  };
  const end = async (child: ChildProcess): Promise<void> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.kill('SIGTERM');
    await once(child, 'exit');
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
        const job = { id: `job-${made}`, spec, running: new Map<number, ChildProcess>(), ends: [] };
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
          const gone = (_: unknown, part: number): PartEnd => ({
            job: name,
            part,
            kind: 'lost',
            reason: 'the cluster has no such job',
          });
          listen(job === undefined ? Array.from({ length: parts }, gone) : [...job.ends]);
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
    open,
    async evict(name, part) {
      const child = jobs.get(name)?.running.get(part);
      if (child === undefined) throw new Error(`no part ${part} of ${name} runs`);
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    remove,
    failSubmits(count) {
      failing = count;
    },
    async stop() {
      await Promise.all([...jobs.keys()].map(remove));
    },
  };
}
