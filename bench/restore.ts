// A disaster, by the guide's commands: a backup of a project with events and models, brought back into an empty registry,
// artifact store and online store. Each command is a process, as it is typed; its start counts.

import { spawnSync } from 'node:child_process';
import { cpSync, createWriteStream, readdirSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { treesModel } from '../test/support/onnx-model.ts';
import { findPostgres, startPostgres } from '../test/support/postgres-server.ts';
import { createProject, MAIN, type Project } from '../test/support/serving-project.ts';
import { type Figure, type Section, whole } from './report.ts';

type Env = Readonly<Record<string, string>>;

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;
const REPOSITORY = `import { count, endpoint, entity, featureService, featureView, latest, mean, model, pushed, sum, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
export const amounts = pushed('amounts', { columns: { user: t.string(), amount: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const spent = featureView('spent', {
  entity: user, source: amounts,
  features: { last: latest('amount'), events_1d: count().over('1d'), sum_7d: sum('amount').over('7d'), mean_7d: mean('amount').over('7d') },
});
export const service = featureService('service', [spent]);
export const score = model('score', { features: service, outputs: { probability: t.float32() } });
export const live = endpoint('live', { model: score, unit: ['user'] });
`;

export async function restoreSection({
  isQuick,
  withRedis,
}: {
  readonly isQuick: boolean;
  readonly withRedis: (measure: (url: string) => Promise<unknown>) => Promise<void>;
}): Promise<Section> {
  const sizes = isQuick
    ? { events: 20_000, keys: 2000, versions: 2 }
    : { events: 1_000_000, keys: 100_000, versions: 20 };
  const project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
  const figures: Figure[] = [];
  try {
    await fill(project, sizes);
    const backupSeconds = timed(project, ['backup', 'backup']);
    const bytes = bytesUnder(project.file('backup'));
    const fromMs = performance.now();
    cpSync(project.file('backup'), project.file('copied'), { recursive: true });
    const copySeconds = (performance.now() - fromMs) / 1000;
    figures.push({
      name: `backup of ${whole(bytes / 1e6)} MB`,
      value: seconds(backupSeconds),
      floor: `a copy of its files: ${seconds(copySeconds)}`,
    });
    figures.push(...restored(project, 'SQLite and LMDB', {}));
    if (findPostgres() !== undefined) {
      const postgres = await startPostgres();
      try {
        const url = await postgres.newDatabase();
        await withRedis(async (redisUrl) => {
          const places = { HEADRACE_REGISTRY_URL: url, HEADRACE_ONLINE_URL: redisUrl };
          figures.push(...restored(project, 'Postgres and Redis', places));
        });
      } finally {
        await postgres.stop();
      }
    }
  } finally {
    project.remove();
  }
  return {
    title: 'Recovery',
    about: `A backup of ${whole(sizes.events)} pushed events of ${whole(sizes.keys)} keys and ${sizes.versions} versions of a model of 200 trees, brought back by the commands of [the guide](guides/disaster-recovery.md) into an empty registry, a folder of artifacts and an empty online store, where the features of every key are computed again. Each command is a process, its start with it.`,
    figures,
  };
}

async function fill(
  project: Project,
  { events, keys, versions }: { readonly events: number; readonly keys: number; readonly versions: number },
): Promise<void> {
  timed(project, ['apply']);
  const lines = createWriteStream(project.file('events.jsonl'));
  const nowMs = Date.now();
  for (let i = 0; i < events; i++) {
    const at = new Date(nowMs - 60_000 - ((i * 7919) % 600_000_000)).toISOString();
    const line = JSON.stringify({ user: `user-${i % keys}`, amount: (i % 997) / 7, at });
    if (!lines.write(`${line}\n`)) await once(lines, 'drain');
  }
  lines.end();
  await finished(lines);
  timed(project, ['push', 'amounts', 'events.jsonl']);
  for (let version = 1; version <= versions; version++) {
    project.write('model.onnx', treesModel(4, 200 + version, 6));
    timed(project, ['models', 'register', 'score', 'model.onnx']);
  }
}

/** What the two commands of a recovery took, into an empty place. */
function restored(project: Project, name: string, given: Env): Figure[] {
  const place = project.file('recovered');
  rmSync(place, { recursive: true, force: true });
  const env = {
    HEADRACE_REGISTRY_URL: `sqlite:${place}/registry.db`,
    HEADRACE_ONLINE_URL: `lmdb:${place}/online`,
    HEADRACE_ARTIFACTS_URL: `file:${place}/artifacts`,
    HEADRACE_PUSH_LOG_PATH: join(place, 'push-log'),
    HEADRACE_OFFLINE_PATH: join(place, 'offline'),
    ...given,
  };
  return [
    { name: `${name}: restore`, value: seconds(timed(project, ['restore', 'backup'], env)) },
    { name: `${name}: materialize`, value: seconds(timed(project, ['materialize', '--incremental'], env)) },
  ];
}

/** Seconds that a command took, as a process. */
function timed(project: Project, args: readonly string[], env: Env = {}): number {
  const fromMs = performance.now();
  const run = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: project.directory,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 26,
  });
  if (run.status !== 0) throw new Error(`headrace ${args.join(' ')} gave ${String(run.status)}: ${run.stderr}`);
  return (performance.now() - fromMs) / 1000;
}

function bytesUnder(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

const seconds = (value: number): string => `${value.toFixed(value < 1 ? 2 : 1)} s`;
