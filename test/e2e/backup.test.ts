// Backups of a project whose server serves and takes pushes, brought back into another place: SQLite and Postgres, both ways.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findPostgres, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  MAIN,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const hasPostgres = findPostgres() !== undefined;
if (!hasPostgres) skipBecause('backups of and into Postgres: no initdb and postgres found (Debian: postgresql)');

type Env = Readonly<Record<string, string>>;
type Kind = 'SQLite' | 'Postgres';

let postgres: PostgresServer | undefined;
const projects: Project[] = [];
const servers: ServerProcess[] = [];
beforeAll(async () => {
  if (hasPostgres) postgres = await startPostgres();
}, 400_000);
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  for (const project of projects.splice(0)) project.remove();
});
afterAll(() => postgres?.stop());

const registryOn = async (kind: Kind): Promise<Env> =>
  kind === 'SQLite' ? {} : { HEADRACE_REGISTRY_URL: (await postgres?.newDatabase()) ?? '' };

const own = (project: Project): Project => {
  projects.push(project);
  return project;
};

/** Another place, without a feature repository. */
const newPlace = (): Project => own(createProject({ 'headrace.config.ts': CONFIG }));

const KEYS = JSON.stringify([{ customer: 'ada' }, { customer: 'bob' }, { customer: 'cyd' }, { customer: 'nobody' }]);
const AT = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000).toISOString();

interface Seen {
  readonly features: unknown;
  readonly audit: unknown;
  readonly models: unknown;
  readonly endpoint: unknown;
  readonly history: unknown;
  readonly sets: unknown;
}

const withoutServers = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, member: unknown) => (key === 'servers' ? [] : member)));

/** What a user sees of a place; times of the server and its processes are nobody's state. */
function look(project: Project, env: Env): Seen {
  const rows = (value: unknown) => (value as { rows: { features: unknown; statuses?: unknown }[] }).rows;
  return {
    features: rows(
      headraceJson(project, ['features', 'get', '--service', 'shop_features', '--rows', KEYS, '--at', AT], env),
    ),
    audit: headraceJson(project, ['audit', '--limit', '1000'], env),
    models: headraceJson(project, ['models', 'show', 'returns'], env),
    endpoint: withoutServers(headraceJson(project, ['endpoints', 'show', 'checkout'], env)),
    history: withoutServers(headraceJson(project, ['history'], env)),
    sets: headraceJson(project, ['training-set', 'list'], env),
  };
}

/** Pushes one purchase after the other until it is told to stop; gives how many were acknowledged. */
function pushOn(server: ServerProcess): { acknowledged: () => number; stop: () => Promise<void> } {
  let [count, isStopped] = [0, false];
  const run = async (): Promise<void> => {
    for (let i = 0; !isStopped; i++) {
      const answer = await fetch(`${server.url}/v1/sources/purchases/push`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `push-${i}` },
        body: JSON.stringify({
          rows: [{ customer: 'cyd', amount: 1, points: i, bought_at: new Date().toISOString() }],
        }),
      });
      if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
      count++;
    }
  };
  const done = run();
  return {
    acknowledged: () => count,
    async stop() {
      isStopped = true;
      await done;
    },
  };
}

/** While this process goes on. */
async function headraceBeside(project: Project, args: readonly string[], env: Env): Promise<unknown> {
  const how = { cwd: project.directory, env: { ...process.env, npm_lifecycle_event: '', ...env } };
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, '--json'], how);
  return JSON.parse(stdout);
}

const purchasesOf = (seen: Seen, at: number): number =>
  Number((seen.features as { features: Record<string, unknown> }[])[at]?.features['history__purchases_1d']);

describe.each<[Kind, Kind]>([
  ['SQLite', 'SQLite'],
  ['SQLite', 'Postgres'],
  ['Postgres', 'SQLite'],
])('a backup from %s into %s', (from, to) => {
  it.skipIf(!hasPostgres && (from === 'Postgres' || to === 'Postgres'))(
    'taken beside a server that takes pushes holds all that was acknowledged before, and reads the same elsewhere',
    async () => {
      const env = await registryOn(from);
      const project = own(createServingProject(env));
      headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:70', 'canary=2:30'], env);
      project.write(
        'spine.csv',
        `customer,amount,at\nada,5,${new Date().toISOString()}\nbob,7,${new Date().toISOString()}\n`,
      );
      const setOf = (place: Project, placeEnv: Env) =>
        headraceJson(
          place,
          [
            'training-set',
            'create',
            '--service',
            'shop_features',
            '--spine',
            project.file('spine.csv'),
            '--timestamp',
            'at',
            '--out',
            'train.parquet',
          ],
          placeEnv,
        ) as { id: string; path: string };
      const made = setOf(project, env);
      const server = await startServe(project, [], env);
      servers.push(server);
      const pushing = pushOn(server);
      while (pushing.acknowledged() < 20) await new Promise((resolve) => setTimeout(resolve, 20));

      const before = pushing.acknowledged();
      const backup = project.file('backup');
      const told = (await headraceBeside(project, ['backup', backup, '--with-training-sets'], env)) as {
        missing: unknown[];
      };
      const after = pushing.acknowledged();
      await pushing.stop();
      expect(told.missing).toEqual([]);
      expect(after).toBeGreaterThan(before);

      const place = newPlace();
      const placeEnv = await registryOn(to);
      headraceJson(place, ['restore', backup], placeEnv);
      const filled = headraceJson(place, ['materialize', '--incremental'], placeEnv) as { views: { state: string }[] };
      expect(filled.views.map(({ state }) => state)).toEqual(['finished']);
      const [was, is] = [look(project, env), look(place, placeEnv)];
      const count = purchasesOf(is, 2);
      expect(count).toBeGreaterThanOrEqual(before);
      expect(count).toBeLessThanOrEqual(after + 1);
      // What was pushed since is cyd's.
      const others = (seen: Seen) => (seen.features as unknown[]).filter((_, at) => at !== 2);
      expect(others(is)).toEqual(others(was));
      expect(is.models).toEqual(was.models);
      expect(is.endpoint).toEqual(was.endpoint);
      expect(is.history).toEqual(was.history);
      expect(is.audit).toEqual(was.audit);
      const [set] = (is.sets as { training_sets: { id: string; path: string }[] }).training_sets;
      expect(set?.id).toBe(made.id);
      expect(set?.path.startsWith(place.directory)).toBe(true);
      const bytes = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
      expect(bytes(set?.path ?? '')).toBe(bytes(made.path));

      // It goes on there: a server serves, pushes are taken, and the next revision is the next.
      const next = await startServe(place, [], placeEnv);
      servers.push(next);
      const predicted = await fetch(`${next.url}/v1/endpoints/checkout/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ inputs: [{ customer: 'ada', amount: 3 }] }),
      });
      expect(predicted.status, await predicted.text()).toBe(200);
      const more = pushOn(next);
      while (more.acknowledged() < 5) await new Promise((resolve) => setTimeout(resolve, 20));
      await more.stop();
      expect(purchasesOf(look(place, placeEnv), 2)).toBe(count + more.acknowledged());
    },
    400_000,
  );
});

it('gives the same training set for the same inputs at the other place', () => {
  const project = own(createServingProject());
  project.write('spine.csv', `customer,amount,at\nada,5,${new Date().toISOString()}\n`);
  const create = (place: Project) =>
    (
      headraceJson(place, [
        'training-set',
        'create',
        '--service',
        'shop_features',
        '--spine',
        project.file('spine.csv'),
        '--timestamp',
        'at',
        '--out',
        'train.parquet',
      ]) as { id: string }
    ).id;
  headraceJson(project, ['backup', 'backup']);
  const place = newPlace();
  headraceJson(place, ['restore', project.file('backup')]);
  expect(create(place)).toBe(create(project));
}, 400_000);

describe('nothing is written over', () => {
  it('neither a backup, nor files of no backup, nor a registry, unless it is forced', () => {
    const project = own(createServingProject());
    headraceJson(project, ['backup', 'backup']);
    const again = headrace(project, ['backup', 'backup']);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('holds a backup already');
    project.write('other/notes.txt', 'mine');
    expect(headrace(project, ['backup', 'other']).stderr).toContain(
      'is not empty: it holds 1 file that is of no backup',
    );

    const taken = own(createServingProject());
    // Two are copies of one: from here on they differ.
    taken.write(
      'feature_repo/more.ts',
      "import { featureService } from 'headrace';\nimport { history } from './shop.ts';\n\nexport const more = featureService('more', [history]);\n",
    );
    headraceJson(taken, ['apply']);
    const refused = headrace(taken, ['restore', project.file('backup')]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('HR_RESTORE_REFUSED: the registry is not empty: ');
    expect(refused.stderr).toContain('registry_model_versions has 2 rows');
    const history = (place: Project) => headraceJson(place, ['history']);
    expect(history(taken)).not.toEqual(history(project));
    headraceJson(taken, ['restore', project.file('backup'), '--force']);
    expect(history(taken)).toEqual(history(project));
  }, 400_000);

  it('nor, forced, a registry that servers are at work on', async () => {
    const project = own(createServingProject());
    headraceJson(project, ['backup', 'backup']);
    servers.push(await startServe(project));
    const refused = headrace(project, ['restore', 'backup', '--force']);
    expect(refused.stderr).toContain('1 server of this registry is at work');
  }, 400_000);
});

describe('a backup that is not whole is refused', () => {
  const backedUp = (): Project => {
    const project = own(createServingProject());
    headraceJson(project, ['backup', 'backup']);
    return project;
  };
  const manifestOf = (project: Project) =>
    JSON.parse(readFileSync(project.file('backup/manifest.json'), 'utf8')) as {
      migrations: string[];
      tables: { key: string; name: string }[];
      objects: { key: string };
    };
  const restoreOf = (project: Project): string => {
    const place = newPlace();
    const { code, stderr } = headrace(place, ['restore', project.file('backup')]);
    expect(code).toBe(1);
    expect(headrace(place, ['history', '--json']).stdout).toContain('[]');
    return stderr;
  };

  it('with a table of other bytes, or without one', () => {
    const project = backedUp();
    const table = manifestOf(project).tables.find(({ name }) => name === 'registry_audit');
    const path = project.file(join('backup', table?.key ?? ''));
    writeFileSync(path, readFileSync(path, 'utf8').replace('definitions.apply', 'definitions.appla'));
    expect(restoreOf(project)).toContain('HR_BACKUP_DAMAGED: ');
    writeFileSync(project.file('backup/manifest.json'), '{"format":1}');
    expect(restoreOf(project)).toContain('is no manifest of a backup');
  }, 400_000);

  it('with an object of other bytes', () => {
    const project = backedUp();
    const [line = ''] = readFileSync(project.file(join('backup', manifestOf(project).objects.key)), 'utf8').split('\n');
    const [key] = JSON.parse(line) as [string];
    writeFileSync(project.file(join('backup/objects', key)), 'other');
    expect(restoreOf(project)).toContain(`objects/${key} of the backup is damaged`);
  }, 400_000);

  it('of a later version', () => {
    const project = backedUp();
    const manifest = manifestOf(project);
    manifest.migrations.push('registry: 9999-later');
    writeFileSync(project.file('backup/manifest.json'), JSON.stringify(manifest));
    expect(restoreOf(project)).toContain('HR_BACKUP_NEWER: the backup is of a later version of Headrace');
  }, 400_000);

  it('and so is one that was only begun', () => {
    const project = own(createServingProject());
    project.write('backup/begun.json', '{}');
    expect(restoreOf(project)).toContain('a backup was begun there and is not finished');
    headraceJson(project, ['backup', 'backup']);
    headraceJson(newPlace(), ['restore', project.file('backup')]);
  }, 400_000);
});

it('says which artifacts are gone, and is made all the same', () => {
  const project = own(createServingProject());
  const [version] = (headraceJson(project, ['models', 'show', 'returns']) as { versions: { artifact: string }[] })
    .versions;
  const artifact = version?.artifact ?? '';
  writeFileSync(project.file(join('.headrace/artifacts/blobs', artifact.slice(0, 2), artifact)), 'other');
  const { code, stdout } = headrace(project, ['backup', 'backup']);
  expect(code).toBe(1);
  expect(stdout).toContain(`MISSING  version 1 of model returns: blobs/${artifact.slice(0, 2)}/${artifact}`);
}, 400_000);
