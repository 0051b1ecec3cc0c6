// Two servers on one registry, asked by clients all the time, with rollouts of a model that does what its rows say: for tests of
// what goes wrong around them while a rollout is under way.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import { openMinutes } from '../../src/monitoring/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { NOT_IN_TABLE, ONE_NUMBER } from './one-number.ts';
import { linearModel, lookUpModel } from './onnx-model.ts';
import {
  CONFIG,
  createProject,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from './serving-project.ts';

/** Versions of the model: 3 fails where a row is not in its table, the others answer with what they are given. */
export const [STABLE, SAME, FAILS] = [1, 2, 3];

export interface RolloutStatus {
  readonly id: string;
  readonly state: string;
  readonly step: number;
  readonly weights: Readonly<Record<string, number>>;
  readonly reason: string | null;
  readonly guardrails: readonly { readonly metric: string; readonly verdict: string }[];
  readonly history: readonly { readonly to: string; readonly at: string; readonly reason: string | null }[];
}

export interface Answered {
  readonly server: number;
  /** 0 where none came. */
  readonly status: number;
  readonly version: number | undefined;
  readonly fallbackFrom: string | undefined;
}

export type RolloutServers = Awaited<ReturnType<typeof openRolloutServers>>;

const CLIENTS = 4;

/** Rows at arms of endpoint checkout, by the minutes that are written. */
export async function countedRows(database: Database): Promise<number> {
  const minutes = await openMinutes(database, systemClock);
  const all = await minutes.read({ endpoint: 'checkout', fromMicros: 0 });
  return all.filter(({ kind }) => kind === 'arm').reduce((sum, row) => sum + row.rows, 0);
}

type Env = Readonly<Record<string, string>>;

/** `envs`: of each server, beside `env`; asked when the versions are registered. */
export async function openRolloutServers({
  env = {},
  envs = () => [{}, {}],
}: {
  readonly env?: Env;
  readonly envs?: (project: Project) => readonly Env[];
}) {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': ONE_NUMBER,
    'given.onnx': linearModel(1),
    'same.onnx': linearModel(1),
    'fails.onnx': lookUpModel(),
  });
  headraceJson(project, ['apply'], env);
  for (const file of ['given.onnx', 'same.onnx', 'fails.onnx'])
    headraceJson(project, ['models', 'register', 'returns', file], env);
  const servers: ServerProcess[] = [];
  // One after the other: the first has the leases, and runs the controller.
  for (const own of envs(project)) servers.push(await startServe(project, [], { ...env, ...own }));
  const answers: Answered[] = [];
  let asking: Promise<unknown> | undefined;
  let isAsking = false;
  let next = 0;

  // Each of a unit of its own.
  const predict = async (server: number, failEvery: number): Promise<Answered> => {
    const at = ++next;
    const x = failEvery > 0 && at % failEvery === 0 ? NOT_IN_TABLE + at : (at % 6300) / 100 + at / 1e9;
    try {
      const response = await fetch(`${servers[server]?.url}/v1/endpoints/checkout/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ inputs: [{ x }] }),
      });
      const { predictions } = (await response.json()) as {
        readonly predictions?: readonly { readonly version: number; readonly fallback_from?: string }[];
      };
      const [row] = predictions ?? [];
      return { server, status: response.status, version: row?.version, fallbackFrom: row?.fallback_from };
    } catch {
      return { server, status: 0, version: undefined, fallbackFrom: undefined };
    }
  };

  const call = async (path: string, body?: object): Promise<RolloutStatus> => {
    const response = await fetch(`${servers[0]?.url}/v1/rollouts${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
    });
    const json = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(json));
    // Its schema is the route's.
    return json as RolloutStatus;
  };

  /** Those that came while it ran. */
  const during = async (work: () => Promise<unknown>): Promise<readonly Answered[]> => {
    const before = answers.length;
    await work();
    return answers.slice(before);
  };
  /** Resolves once the last answer is there. */
  const rest = async (): Promise<void> => {
    isAsking = false;
    await asking;
  };
  const status = (id: string) => call(`/${id}`);
  const parts = { project, servers, answers, during, rest, status };
  const world = {
    ...parts,
    /** Of the units, one in so many is of those that version 3 fails at; 0: none. */
    failEvery: 0,
    /** Clients that ask both servers from now on. */
    ask(): void {
      if (isAsking) return;
      isAsking = true;
      asking = Promise.all(
        Array.from({ length: CLIENTS }, async (_, client) => {
          while (isAsking) {
            answers.push(await predict(client % servers.length, world.failEvery));
            await sleep(5);
          }
        }),
      );
    },
    /** So many that come from now on. */
    async more(count: number): Promise<readonly Answered[]> {
      const until = answers.length + count;
      return during(async () => {
        while (answers.length < until) await sleep(10);
      });
    },
    start: (body: object) =>
      call('', { endpoint: 'checkout', warmup: '0s', min_units: 20, guards: ['error_rate<+20%'], ...body }),
    async until(id: string, isThere: (status: RolloutStatus) => boolean, limitMs = 30_000): Promise<RolloutStatus> {
      let last: RolloutStatus | undefined;
      for (const endMs = performance.now() + limitMs; ; await sleep(50)) {
        last = await status(id).catch(() => last);
        if (last !== undefined && isThere(last)) return last;
        if (performance.now() > endMs)
          throw new Error([JSON.stringify(last), ...servers.map(({ log }) => log().slice(-1000))].join('\n'));
      }
    },
    async close(): Promise<void> {
      await rest();
      for (const { process: child } of servers) child.kill('SIGCONT');
      await Promise.all(servers.map((server) => server.stop()));
      project.remove();
    },
  };
  return world;
}

/** Each answered, by both versions at each server, none by another in the candidate's place. */
export function expectUntouched(answers: readonly Answered[], versions: readonly number[]): void {
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  expect(answers.filter(({ fallbackFrom }) => fallbackFrom !== undefined)).toEqual([]);
  for (const one of [0, 1]) {
    const own = answers.filter(({ server }) => server === one);
    expect(new Set(own.map(({ version }) => version))).toEqual(new Set(versions));
  }
}
