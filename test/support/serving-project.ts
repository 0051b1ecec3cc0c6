// A project in a temporary folder with everything serving needs, driven through the command line as a user would.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerLimits } from '../../src/app/supervise-workers.ts';
import { constantModel } from './onnx-model.ts';
import { runFolder } from './run-folder.ts';
import { runWarm, type WarmAnswer } from './warm-command.ts';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const SERVE_WITH_LIMITS = fileURLToPath(new URL('./serve-with-limits.ts', import.meta.url));

export interface Project {
  readonly directory: string;
  readonly file: (name: string) => string;
  readonly write: (name: string, content: string | Uint8Array) => string;
  readonly remove: () => void;
}

export type CommandOutput = WarmAnswer;
type Place = Pick<Project, 'directory'>;
type Env = Readonly<Record<string, string>>;

export function createProject(files: Readonly<Record<string, string | Uint8Array>>): Project {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-project-'));
  const file = (name: string): string => join(directory, name);
  const write: Project['write'] = (name, content) => {
    mkdirSync(dirname(file(name)), { recursive: true });
    writeFileSync(file(name), content);
    return file(name);
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return { directory, write, file, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Runs a command to its end, in the project's folder, by the test file's warm process. */
export const headrace = ({ directory }: Place, args: readonly string[], env: Env = {}): CommandOutput =>
  runWarm({ directory, args, env: commandEnv(env) });

/** The same in a process of its own, as a user's shell runs it: for what the end of a process shows. */
export function headraceProcess({ directory }: Place, args: readonly string[], env: Env = {}): CommandOutput {
  const limits = { timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
  const options = { cwd: directory, encoding: 'utf8', env: commandEnv(env), ...limits } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], options);
  return { code: status, stdout, stderr };
}

const commandEnv = (env: Env) => ({ ...process.env, npm_lifecycle_event: '', ...env });

/** The one JSON document that a command printed; throws its errors when it failed. */
export function headraceJson(project: Place, args: readonly string[], env: Env = {}): unknown {
  const { code, stdout, stderr } = headrace(project, [...args, '--json'], env);
  if (code !== 0) throw new Error(`headrace ${args.join(' ')} gave ${String(code)}: ${stderr}`);
  return JSON.parse(stdout);
}

export type ServerProcess = Awaited<ReturnType<typeof startServe>>;

/** Starts `headrace serve` on a free port; resolves when it listens. `log` is what it logged so far, `announced` all that it said of itself. */
export const startServe = (project: Place, args: readonly string[] = [], env: Env = {}) =>
  startServer(project, [MAIN, 'serve', '--port', '0', '--json', ...args], env);

/** The same with two workers and a primary that has less patience. */
export const startServeWithLimits = (project: Place, limits: Partial<WorkerLimits>) =>
  startServer(project, [SERVE_WITH_LIMITS, JSON.stringify(limits)], {});

function startServer({ directory }: Place, args: readonly string[], env: Env) {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const child = spawn(process.execPath, args, { cwd: directory, env: commandEnv(env), stdio });
  let [stdout, stderr] = ['', ''];
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  /** By SIGTERM; gives the exit code. */
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return exited;
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const running = { process: child, log: () => stderr, stop };
  return new Promise<typeof running & { readonly url: string; readonly announced: object }>((resolve, reject) => {
    void exited.then((code) => reject(new Error(`serve ended with ${String(code)}: ${stderr}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (!stdout.includes('\n')) return;
      const announced = JSON.parse(stdout) as { url?: string };
      const { url } = announced;
      // An error: the exit tells of it.
      if (url !== undefined) resolve({ url, announced, ...running });
    });
  });
}

export const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;

/** A pushed source with an int64 and a known time, two views, an on-demand view, a model, an endpoint. */
export const REPOSITORY = `import { count, entity, endpoint, featureService, featureView, latest, mean, model, onDemandView, pushed, sum, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), points: t.int64(), bought_at: t.timestamp() },
  derive: { is_big: [t.float64(), (row) => (row.amount == null ? null : row.amount > 15 ? 1 : 0)] },
  eventTime: 'bought_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, ttl: '30d',
  features: {
    last_points: latest('points'), purchases_1d: count().over('1d'), mean_7d: mean('amount').over('7d'), big_7d: sum('is_big').over('7d'),
  },
});
export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64().optional() }, customer: history },
  features: { ratio: t.float64() },
  transform: ({ request, customer }) => ({
    ratio: request.amount != null && customer.mean_7d ? request.amount / customer.mean_7d : null,
  }),
});
export const features = featureService('shop_features', [history, basket]);
export const numbers = featureService('numbers', [history.pick('purchases_1d', 'mean_7d', 'big_7d'), basket]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;

/** Purchases a few hours old: two of ada, one of bob. */
export function recentPurchases(nowMs: number): string {
  const ago = (hours: number) => new Date(nowMs - hours * 3_600_000).toISOString();
  return [
    `{"customer":"ada","amount":10,"points":9007199254740993,"bought_at":"${ago(5)}"}`,
    `{"customer":"ada","amount":20,"points":9223372036854775807,"bought_at":"${ago(3)}"}`,
    `{"customer":"bob","amount":30,"points":1,"bought_at":"${ago(2)}"}`,
    '',
  ].join('\n');
}

/** A project that is applied, has events online and two versions of its model: 0.25 and 0.75. */
export function createServingProject(env: Env = {}): Project {
  const folder = runFolder();
  // Where the registry and the stores are elsewhere there is nothing to copy.
  if (folder === undefined || Object.keys(env).length > 0) return makeServingProject(env);
  const made = join(folder, 'serving-project');
  if (!existsSync(made)) keepMade(makeServingProject({}).directory, made);
  return copyProject(made);
}

/** Moves a project to where others copy it from, unless another process was first. */
export function keepMade(directory: string, made: string): void {
  try {
    renameSync(directory, made);
  } catch {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A project like the one in that folder, whose stores nobody has open: what locks them is made anew. */
export function copyProject(made: string): Project {
  const project = createProject({});
  cpSync(made, project.directory, { recursive: true, filter: (path) => !path.endsWith('lock.mdb') });
  return project;
}

function makeServingProject(env: Env): Project {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': REPOSITORY,
    'events.jsonl': recentPurchases(Date.now()),
    'quarter.onnx': constantModel(4, 0.25),
    'three_quarters.onnx': constantModel(4, 0.75),
  });
  headraceJson(project, ['apply'], env);
  headraceJson(project, ['push', 'purchases', 'events.jsonl'], env);
  headraceJson(project, ['models', 'register', 'returns', 'quarter.onnx', '--alias', 'champion'], env);
  headraceJson(project, ['models', 'register', 'returns', 'three_quarters.onnx'], env);
  return project;
}
