// Housekeeping of a whole project, beside a server that serves it: what is past its retention goes, what is needed stays.
// twin: test/integration/housekeeping.test.ts > an object that nobody names
// twin: test/integration/housekeeping.test.ts > a run that crashes at any step

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  MAIN,
  type Project,
  REPOSITORY,
  startServe,
} from '../support/serving-project.ts';

const projects: Project[] = [];
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const project of projects.splice(0)) project.remove();
});

/** Two revisions, the newest training set and the last hour are all that is kept. */
const SHORT = {
  HEADRACE_RETENTION_TRAINING_SETS: '1s',
  HEADRACE_RETENTION_RUNS: '1s',
  HEADRACE_RETENTION_VERSIONS: '2',
  HEADRACE_RETENTION_BUNDLES: '1h',
  HEADRACE_RETENTION_PARTIALS: '1h',
  HEADRACE_RETENTION_PYTHON_ENVIRONMENTS: '1h',
  HEADRACE_PREDICTION_LOG_KEEP: '1h',
};

interface Item {
  readonly kind: string;
  readonly id: string;
  readonly what: string;
  readonly bytes: number | null;
}
interface Report {
  readonly items: readonly Item[];
  readonly bytes: number;
  readonly stayed: readonly Item[];
  readonly notes: readonly string[];
  readonly failures: readonly unknown[];
}
const gc = (project: Project, ...args: string[]): Report => headraceJson(project, ['gc', ...args], SHORT) as Report;
const kinds = ({ items }: Pick<Report, 'items'>): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { kind } of items) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
};

/** As if it had been written two days ago. */
const age = (path: string): void => {
  const then = new Date(Date.now() - 48 * 3_600_000);
  utimesSync(path, then, then);
};
const plant = (project: Project, name: string, content = 'leftover'): string => {
  const path = project.file(name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  age(path);
  return path;
};
const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** Changes rows as no command does: when they came to be. */
const change = (project: Project, ...statements: readonly string[]): void => {
  const registry = new DatabaseSync(project.file('.headrace/registry.db'), { timeout: 5000 });
  for (const statement of statements) registry.exec(statement);
  registry.close();
};

/** A project with something of each kind that may go, and of each that looks alike and may not. */
function grownProject(): Project {
  const project = createServingProject();
  projects.push(project);
  const set = (name: string): string => {
    project.write(`${name}.csv`, `customer,amount,at\nada,${name.length},${new Date().toISOString()}\n`);
    const args = ['--spine', `${name}.csv`, '--timestamp', 'at', '--out', `${name}.parquet`];
    return (headraceJson(project, ['training-set', 'create', '--service', 'numbers', ...args]) as { id: string }).id;
  };
  set('old');
  const needed = set('needed');
  headraceJson(project, ['models', 'register', 'returns', 'quarter.onnx', '--training-set', needed]);
  // Five revisions, each with code of its own; what was made by the first stays, and the last two.
  for (const factor of [2, 3, 4, 5]) {
    project.write(
      'feature_repo/shop.ts',
      REPOSITORY.replace('request.amount / customer', `${factor} * request.amount / customer`),
    );
    headraceJson(project, ['apply', '--yes']);
  }
  change(project, 'update registry_applies set applied_at = applied_at - 172800000000');
  for (const path of files(project.file('.headrace/artifacts/blobs'))) age(path);
  plant(project, `.headrace/artifacts/blobs/ab/ab${'0'.repeat(62)}`, 'orphan');
  plant(project, `.headrace/artifacts/.partial/half`, 'half');
  plant(project, '.headrace/offline/training-sets/nobodys.parquet');
  plant(project, 'old.parquet.unfinished-1234');
  plant(project, '.headrace/predictions/outcomes/date=2026-01-01/hour=07/a.parquet');
  plant(project, '.headrace/offline/spill/duckdb-dead/part.tmp');
  plant(project, '.headrace/offline/spill/duckdb-dead.lock', '');
  plant(project, '.headrace/environments/0123456789abcdef/bin/python');
  plant(project, '.headrace/environments/0123456789abcdef.ready', '');
  // Young ones.
  project.write(`.headrace/artifacts/blobs/cd/cd${'0'.repeat(62)}`, 'about to be named');
  project.write('.headrace/environments/fedcba9876543210.ready', '');
  project.write('.headrace/artifacts/.partial/other', 'under way');
  return project;
}

const EXPECTED = {
  'spill folder': 1,
  'training set': 1,
  'training set file': 1,
  'unfinished file': 1,
  revision: 2,
  'partial object': 1,
  'python environment': 1,
  'prediction file': 1,
};

describe('headrace gc', () => {
  it('removes exactly what a dry run shows, beside a server, and writes it to the audit log', async () => {
    const project = grownProject();
    const server = await startServe(project);
    stops.push(() => server.stop());
    const everything = files(project.file('.'));
    const first = headrace(project, ['gc', '--dry-run'], SHORT);
    expect(first.stdout).toMatch(/^KIND +WHAT +WHY +SIZE +AGE$/m);
    expect(first.stdout).toMatch(/items would go, [\d.]+ [KM]?B\.$/m);
    const planned = gc(project, '--dry-run');
    const { object: objects, ...others } = kinds(planned);
    expect(others).toEqual(EXPECTED);
    // The orphan alone: code of revisions goes once they have gone.
    expect(objects).toBe(1);
    expect(planned.items.find(({ kind }) => kind === 'training set')?.what).toContain('old.parquet');
    expect(planned.bytes).toBe(planned.items.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0));
    expect(files(project.file('.')).filter((path) => !path.includes('registry.db'))).toEqual(
      everything.filter((path) => !path.includes('registry.db')),
    );

    const done = gc(project);
    expect(done.items).toEqual(planned.items);
    expect(done.failures).toEqual([]);
    const { changes } = headraceJson(project, ['audit', '--limit', '1000']) as {
      changes: { action: string; object: string; reason: string }[];
    };
    const told = changes.filter(({ action }) => action === 'gc.remove');
    expect(told.map(({ object }) => object).sort()).toEqual(
      planned.items.map(({ kind, id }) => `${kind.replaceAll(' ', '-')}/${id}`).sort(),
    );
    expect(told.every(({ reason }) => reason !== null)).toBe(true);
    for (const gone of [
      'old.parquet',
      'old.parquet.unfinished-1234',
      `.headrace/artifacts/blobs/ab/ab${'0'.repeat(62)}`,
    ])
      expect(existsSync(project.file(gone)), gone).toBe(false);
    expect(existsSync(project.file('needed.parquet'))).toBe(true);

    // Now the code of the revisions that went.
    const next = gc(project);
    expect(Object.keys(kinds(next))).toEqual(['object']);
    expect(gc(project).items).toEqual([]);

    // All that is needed answers as before.
    const answer = await fetch(`${server.url}/v1/endpoints/checkout/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ customer: 'ada', amount: 3 }] }),
    });
    expect(answer.status, await answer.text()).toBe(200);
    const revisions = (headraceJson(project, ['history']) as { revisions: { revision: number }[] }).revisions;
    expect(revisions.map(({ revision }) => revision)).toEqual([5, 4, 1]);
    for (const revision of ['4', '1']) headraceJson(project, ['rollback', revision]);
    expect(headrace(project, ['rollback', '2']).stderr).toContain('there is no revision 2');
    const [set] = (headraceJson(project, ['training-set', 'list']) as { training_sets: { id: string }[] })
      .training_sets;
    expect(headrace(project, ['training-set', 'audit', set?.id ?? '']).code).toBe(0);
    expect(headrace(project, ['doctor']).code).toBe(0);
  }, 400_000);

  it('killed while it works leaves nothing that dangles, and the next goes on; two at once do no harm', async () => {
    const project = grownProject();
    const startGc = () =>
      spawn(process.execPath, [MAIN, 'gc'], {
        cwd: project.directory,
        env: { ...process.env, npm_lifecycle_event: '', ...SHORT },
        stdio: 'ignore',
      });
    const child = startGc();
    // It has decided on something by then, or has come to its end.
    const ended = once(child, 'exit');
    const decided = (): number => Number(count("registry_audit where action = 'gc.remove'"));
    const registry = new DatabaseSync(project.file('.headrace/registry.db'), { timeout: 5000 });
    const count = (from: string): unknown => registry.prepare(`select count(*) as n from ${from}`).get()?.['n'];
    await expect.poll(decided, { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await ended;
    const { training_sets: sets } = headraceJson(project, ['training-set', 'list']) as {
      training_sets: { path: string }[];
    };
    for (const { path } of sets) expect(existsSync(path), path).toBe(true);
    const both = [startGc(), startGc()].map((one) => once(one, 'exit'));
    expect((await Promise.all(both)).map(([code]) => code as number | null)).toEqual([0, 0]);
    gc(project);
    expect(gc(project).items).toEqual([]);
    expect(count('housekeeping_removals')).toBe(0);
    // Each removal is told once.
    expect(count("registry_audit where action = 'gc.remove'")).toBe(
      count("(select distinct object from registry_audit where action = 'gc.remove')"),
    );
    registry.close();
  }, 400_000);

  it('removes what retention lets go of the event log, as headrace log prune does', () => {
    const project = createProject({
      'headrace.config.ts': `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop', pushLog: { retention: '2d' } });
`,
      'feature_repo/shop.ts': REPOSITORY,
    });
    projects.push(project);
    headraceJson(project, ['apply']);
    for (const days of [5, 0.5]) {
      const at = new Date(Date.now() - days * 86_400_000).toISOString();
      project.write('events.jsonl', JSON.stringify({ customer: 'ada', amount: 1, points: 1, bought_at: at }));
      headraceJson(project, ['push', 'purchases', 'events.jsonl']);
    }
    headraceJson(project, ['materialize', '--incremental']);
    const planned = gc(project, '--dry-run');
    expect(planned.items).toMatchObject([{ kind: 'log segment', what: 'cuts 1 to 1 of writer 1, 1 event' }]);
    expect(headrace(project, ['log', 'list']).stdout).toMatch(/1 to 1 .*\n.* 1 to 1 /);
    expect(gc(project)).toMatchObject({ items: planned.items, stayed: [], failures: [] });
    expect(headrace(project, ['log', 'list']).stdout).toMatch(/none \(1 removed\).*\n.* 1 to 1 /);
    expect(gc(project).items).toEqual([]);
  }, 400_000);
});
