// Backups by commands: beside a server that takes pushes, between SQLite and Postgres and back, to S3, and restores that are killed.
// twin: test/integration/backup.test.ts > brings back definitions, models with their files, endpoints and the audit log
// twin: test/integration/backup.test.ts > of a restore has changed nothing, or all of it; the next one brings all back
// twin: test/contract/database-dump.test.ts > has every row as it was, whatever it holds

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { testDatabases } from '../support/databases.ts';
import { findS3Server, startS3Server } from '../support/s3-server.ts';
import { createServingProject, type ServerProcess } from '../support/serving-project.ts';
import { headraceBeside } from '../support/evolving-project.ts';
import { ownProject, predict, purchase, pushPurchases, type TestProject } from '../support/test-project.ts';

const LIMIT = { timeout: 400_000 };
const AT = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000).toISOString();
/** Another place, without a feature repository. */
const newPlace = (env = {}): TestProject => Object.assign(ownProject({}), { env });

interface Sets {
  readonly training_sets: readonly { readonly id: string; readonly path: string }[];
}
/** What a user sees of a place; times of the server and its processes are nobody's state. */
function look(project: TestProject) {
  const keys = JSON.stringify(['ada', 'bob', 'cyd', 'nobody'].map((customer) => ({ customer })));
  const { rows } = project.json<{ rows: { features: Readonly<Record<string, unknown>> }[] }>(
    `features get --service shop_features --rows ${keys} --at ${AT}`,
  );
  const others = ['audit --limit 1000', 'models show returns', 'endpoints show checkout', 'history'];
  return {
    features: rows.map(({ features }) => features),
    sets: project.json<Sets>('training-set list').training_sets,
    others: others.map((words): unknown =>
      JSON.parse(JSON.stringify(project.json(words), (key, value) => (key === 'servers' ? [] : value))),
    ),
  };
}

/** Pushes one purchase of cyd after the other until it is told to stop; counts how many were acknowledged. */
function pushOn(server: ServerProcess) {
  let [count, isStopped] = [0, false];
  const done = (async () => {
    for (let i = 0; !isStopped; i++) {
      const { status } = await pushPurchases(server, [purchase('cyd', 1, 0)], { 'idempotency-key': `push-${i}` });
      if (status !== 200) throw new Error(`a push was answered ${status}`);
      count++;
    }
  })();
  return {
    acknowledged: () => count,
    until: (least: number) => expect.poll(() => count, { timeout: 60_000 }).toBeGreaterThanOrEqual(least),
    stop: () => ((isStopped = true), done),
  };
}

/** Makes a training set of two customers at a place, of the spine that lies in `project`; gives its record. */
function makeSet(project: TestProject, place: TestProject) {
  const set = ['--service', 'shop_features', '--spine', project.file('spine.csv'), '--timestamp', 'at'];
  return place.json<Sets['training_sets'][0]>(['training-set', 'create', ...set, '--out', 'train.parquet']);
}
function writeSpine(project: TestProject): void {
  const now = new Date().toISOString();
  project.write('spine.csv', `customer,amount,at\nada,5,${now}\nbob,7,${now}\n`);
}

const [sqlite, postgres] = testDatabases('backups of and into Postgres');
const isThere = sqlite !== undefined && postgres !== undefined;
describe.each(isThere ? [[sqlite, postgres] as const, [postgres, sqlite] as const] : [])(
  'a backup from $name into another database',
  (from, to) => {
    const registryOn = async (of: typeof from): Promise<Readonly<Record<string, string>>> =>
      of.name === 'SQLite' ? {} : { HEADRACE_REGISTRY_URL: await of.newUrl() };

    it(
      'taken beside a server that takes pushes holds all that was acknowledged, and goes on elsewhere',
      LIMIT,
      async () => {
        await postgres?.start();
        onTestFinished(() => postgres?.stop());
        const env = await registryOn(from);
        const project = Object.assign(ownProject(createServingProject(env)), { env });
        project.json('endpoints traffic checkout stable=1:70 canary=2:30');
        writeSpine(project);
        const made = makeSet(project, project);
        const pushing = pushOn(await project.serve());
        await pushing.until(20);
        const before = pushing.acknowledged();
        const backup = project.file('backup');
        const told = await project.beside(['backup', backup, '--with-training-sets', '--json']);
        const after = pushing.acknowledged();
        await pushing.stop();
        expect(JSON.parse(told.stdout)).toMatchObject({ missing: [] });
        expect(after).toBeGreaterThan(before);

        const place = newPlace(await registryOn(to));
        place.json(['restore', backup]);
        expect(place.json('materialize --incremental')).toMatchObject({ views: [{ state: 'finished' }] });
        const [was, is] = [look(project), look(place)];
        const count = Number(is.features[2]?.['history__purchases_1d']);
        expect(count).toBeGreaterThanOrEqual(before);
        expect(count).toBeLessThanOrEqual(after + 1);
        // What was pushed since is cyd's.
        expect(is.features.toSpliced(2, 1)).toEqual(was.features.toSpliced(2, 1));
        expect(is.others).toEqual(was.others);
        const [set] = is.sets;
        expect(set?.id).toBe(made.id);
        expect(set?.path.startsWith(place.directory)).toBe(true);
        expect(readFileSync(set?.path ?? '').equals(readFileSync(made.path))).toBe(true);

        // It goes on there: a server serves, and pushes are taken.
        const next = await place.serve();
        expect((await predict(next)).status).toBe(200);
        const more = pushOn(next);
        await more.until(5);
        await more.stop();
        expect(look(place).features[2]?.['history__purchases_1d']).toBe(count + more.acknowledged());
      },
    );
  },
);

const s3 = findS3Server('backups');
it.skipIf(s3 === undefined)(
  'goes to S3 and comes back, with keys in neither, and gives the same training set for the same inputs there',
  LIMIT,
  async () => {
    const server = await startS3Server(s3 as NonNullable<typeof s3>);
    onTestFinished(() => server.stop());
    const place = `s3://${await server.newBucket()}/backups/one?pathStyle=true`;
    const [project, other] = [ownProject(), newPlace()];
    const [token = ''] = project.run('keys create app --role predict').stdout.split('\n');
    expect(token).toMatch(/^hr_/);
    project.json(['backup', place], server.variables);
    expect(project.run(['backup', place], server.variables).stderr).toContain('holds a backup already');
    other.json(['restore', place], server.variables);
    expect(other.json('keys list')).toEqual(project.json('keys list'));
    writeSpine(project);
    expect(makeSet(project, other).id).toBe(makeSet(project, project).id);
    project.json('backup backup');
    const texts = readdirSync(project.file('backup'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
    expect(texts.length).toBeGreaterThan(10);
    const secret = token.split('_').at(-1) as string;
    for (const text of texts) for (const one of [secret, server.secretAccessKey]) expect(text).not.toContain(one);
  },
);

it('changes nothing where a restore is killed, and the next one brings all back', LIMIT, async () => {
  const [project, place] = [ownProject(), newPlace()];
  project.json('backup backup');
  const history = project.json('history');
  const restore = ['restore', project.file('backup')];
  const started = performance.now();
  expect((await place.beside(restore)).code).toBe(0);
  const wholeMs = performance.now() - started;
  let killed = 0;
  for (const share of [0.5, 0.7, 0.8, 0.9]) {
    rmSync(place.file('.headrace'), { recursive: true, force: true });
    if ((await headraceBeside(place, restore, { TMPDIR: place.directory }, wholeMs * share)).code !== null) continue;
    killed++;
    const after = place.json('history');
    const isDone = JSON.stringify(after) === JSON.stringify(history);
    if (!isDone) expect(after).toEqual({ revisions: [] });
    // One that was just about done may be written over only by force.
    place.json(isDone ? [...restore, '--force'] : restore);
    expect(place.json('history')).toEqual(history);
  }
  expect(killed).toBeGreaterThan(0);
});
