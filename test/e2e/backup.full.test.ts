// Backups by commands: beside a server that takes pushes, between SQLite and Postgres and back, to S3, and restores that are killed.
// twin: test/integration/backup.test.ts > brings back definitions, models with their files, endpoints and the audit log
// twin: test/integration/backup.test.ts > of a restore has changed nothing, or all of it; the next one brings all back
// twin: test/contract/database-dump.test.ts > has every row as it was, whatever it holds

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { testDatabases } from '../support/databases.ts';
import { findS3Server, startS3Server } from '../support/s3-server.ts';
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

type Env = Readonly<Record<string, string>>;

const LIMIT_MS = 400_000;
const projects: Project[] = [];
const servers: ServerProcess[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  for (const project of projects.splice(0)) project.remove();
});
const own = (project: Project): Project => {
  projects.push(project);
  return project;
};
/** Another place, without a feature repository. */
const newPlace = (): Project => own(createProject({ 'headrace.config.ts': CONFIG }));

const KEYS = JSON.stringify(['ada', 'bob', 'cyd', 'nobody'].map((customer) => ({ customer })));
const AT = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000).toISOString();

/** What a user sees of a place; times of the server and its processes are nobody's state. */
function look(project: Project, env: Env) {
  const read = (...args: readonly string[]): unknown =>
    JSON.parse(JSON.stringify(headraceJson(project, args, env), (key, value) => (key === 'servers' ? [] : value)));
  const { rows } = read('features', 'get', '--service', 'shop_features', '--rows', KEYS, '--at', AT) as {
    readonly rows: readonly { readonly features: Readonly<Record<string, unknown>> }[];
  };
  return {
    features: rows.map(({ features }) => features),
    sets: read('training-set', 'list') as { readonly training_sets: readonly { id: string; path: string }[] },
    others: [
      read('audit', '--limit', '1000'),
      read('models', 'show', 'returns'),
      read('endpoints', 'show', 'checkout'),
      read('history'),
    ],
  };
}

/** Pushes one purchase of cyd after the other until it is told to stop; gives how many were acknowledged. */
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

/** Makes a training set of two customers, whose spine lies in `project`; gives its record. */
const makeSet = (project: Project, place: Project, env: Env = {}) => {
  const set = ['--service', 'shop_features', '--spine', project.file('spine.csv'), '--timestamp', 'at'];
  const made = headraceJson(place, ['training-set', 'create', ...set, '--out', 'train.parquet'], env);
  return made as { readonly id: string; readonly path: string };
};
const writeSpine = (project: Project): void => {
  const now = new Date().toISOString();
  project.write('spine.csv', `customer,amount,at\nada,5,${now}\nbob,7,${now}\n`);
};

const databases = testDatabases('backups of and into Postgres');
const [sqlite, postgres] = databases;
const pairs =
  sqlite === undefined || postgres === undefined ? [] : [[sqlite, postgres] as const, [postgres, sqlite] as const];

describe.each(pairs)('a backup from $name into another database', (from, to) => {
  const registryOn = async (of: typeof from): Promise<Env> =>
    of.name === 'SQLite' ? {} : { HEADRACE_REGISTRY_URL: await of.newUrl() };

  it(
    'taken beside a server that takes pushes holds all that was acknowledged before, and goes on elsewhere',
    async () => {
      const started = [from, to].find(({ name }) => name === 'Postgres');
      await started?.start();
      try {
        const env = await registryOn(from);
        const project = own(createServingProject(env));
        headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=1:70', 'canary=2:30'], env);
        writeSpine(project);
        const made = makeSet(project, project, env);
        const server = await startServe(project, [], env);
        servers.push(server);
        const pushing = pushOn(server);
        await expect.poll(pushing.acknowledged, { timeout: 60_000 }).toBeGreaterThanOrEqual(20);

        const before = pushing.acknowledged();
        const backup = project.file('backup');
        const told = await headraceBeside(project, ['backup', backup, '--with-training-sets'], env);
        const after = pushing.acknowledged();
        await pushing.stop();
        expect(told).toMatchObject({ missing: [] });
        expect(after).toBeGreaterThan(before);

        const place = newPlace();
        const placeEnv = await registryOn(to);
        headraceJson(place, ['restore', backup], placeEnv);
        expect(headraceJson(place, ['materialize', '--incremental'], placeEnv)).toMatchObject({
          views: [{ state: 'finished' }],
        });
        const [was, is] = [look(project, env), look(place, placeEnv)];
        const count = Number(is.features[2]?.['history__purchases_1d']);
        expect(count).toBeGreaterThanOrEqual(before);
        expect(count).toBeLessThanOrEqual(after + 1);
        // What was pushed since is cyd's.
        expect(is.features.toSpliced(2, 1)).toEqual(was.features.toSpliced(2, 1));
        expect(is.others).toEqual(was.others);
        const [set] = is.sets.training_sets;
        expect(set?.id).toBe(made.id);
        expect(set?.path.startsWith(place.directory)).toBe(true);
        const bytes = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
        expect(bytes(set?.path ?? '')).toBe(bytes(made.path));

        // It goes on there: a server serves, and pushes are taken.
        const next = await startServe(place, [], placeEnv);
        servers.push(next);
        const predicted = await fetch(`${next.url}/v1/endpoints/checkout/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ inputs: [{ customer: 'ada', amount: 3 }] }),
        });
        expect(predicted.status, await predicted.text()).toBe(200);
        const more = pushOn(next);
        await expect.poll(more.acknowledged, { timeout: 60_000 }).toBeGreaterThanOrEqual(5);
        await more.stop();
        expect(look(place, placeEnv).features[2]?.['history__purchases_1d']).toBe(count + more.acknowledged());
      } finally {
        for (const server of servers.splice(0)) await server.stop();
        await started?.stop();
      }
    },
    LIMIT_MS,
  );
});

const s3 = findS3Server('backups');
it.skipIf(s3 === undefined)(
  'goes to S3 and comes back, with keys in neither, and gives the same training set for the same inputs there',
  async () => {
    const server = await startS3Server(s3 as NonNullable<typeof s3>);
    try {
      const env = {
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
        AWS_ENDPOINT_URL_S3: server.endpoint,
        AWS_REGION: 'us-east-1',
      };
      const place = `s3://${await server.newBucket()}/backups/one?pathStyle=true`;
      const project = own(createServingProject());
      const [token = ''] = headrace(project, ['keys', 'create', 'app', '--role', 'predict']).stdout.split('\n');
      expect(token).toMatch(/^hr_/);
      headraceJson(project, ['backup', place], env);
      expect(headrace(project, ['backup', place], env).stderr).toContain('holds a backup already');
      const other = newPlace();
      headraceJson(other, ['restore', place], env);
      expect(headraceJson(other, ['keys', 'list'])).toEqual(headraceJson(project, ['keys', 'list']));
      writeSpine(project);
      expect(makeSet(project, other).id).toBe(makeSet(project, project).id);
      headraceJson(project, ['backup', 'backup']);
      const texts = readdirSync(project.file('backup'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
      expect(texts.length).toBeGreaterThan(10);
      const secret = token.split('_').at(-1) as string;
      for (const text of texts) for (const one of [secret, server.secretAccessKey]) expect(text).not.toContain(one);
    } finally {
      await server.stop();
    }
  },
  LIMIT_MS,
);

it(
  'changes nothing where a restore is killed, and the next one brings all back',
  async () => {
    const project = own(createServingProject());
    headraceJson(project, ['backup', 'backup']);
    const history = headraceJson(project, ['history']);
    const place = newPlace();
    const restore = ['restore', project.file('backup')];
    const started = performance.now();
    headraceJson(place, restore);
    const wholeMs = performance.now() - started;
    let killed = 0;
    for (const share of [0.5, 0.7, 0.8, 0.9]) {
      rmSync(place.file('.headrace'), { recursive: true, force: true });
      const child = spawn(process.execPath, [MAIN, ...restore], {
        cwd: place.directory,
        env: { ...process.env, npm_lifecycle_event: '' },
        stdio: 'ignore',
      });
      const ended = new Promise<NodeJS.Signals | null>((resolve) =>
        child.once('exit', (_code, signal) => resolve(signal)),
      );
      await Promise.race([sleep(wholeMs * share), ended]);
      child.kill('SIGKILL');
      if ((await ended) === null) continue;
      killed++;
      const after = headraceJson(place, ['history']);
      const isDone = JSON.stringify(after) === JSON.stringify(history);
      if (!isDone) expect(after).toEqual({ revisions: [] });
      // One that was just about done may be written over only by force.
      headraceJson(place, isDone ? [...restore, '--force'] : restore);
      expect(headraceJson(place, ['history'])).toEqual(history);
    }
    expect(killed).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
