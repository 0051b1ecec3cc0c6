// Housekeeping of a whole project, beside a server that serves it: what is past its retention goes, what is needed stays.
// twin: test/integration/housekeeping.test.ts > an object that nobody names
// twin: test/integration/housekeeping.test.ts > a run that crashes at any step leaves no record whose file is gone; the next removes the rest, and tells of each once

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { MAIN, REPOSITORY } from '../support/serving-project.ts';
import { ownProject, predict, purchase, type TestProject } from '../support/test-project.ts';

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
const gc = (project: TestProject, more = '') =>
  project.json<{ items: Item[]; bytes: number; failures: unknown[] }>(`gc${more}`, SHORT);

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
/** As if it had been written two days ago. */
const age = (path: string): void => {
  const then = new Date(Date.now() - 48 * 3_600_000);
  utimesSync(path, then, then);
};
const registryOf = (project: TestProject) => new DatabaseSync(project.file('.headrace/registry.db'), { timeout: 5000 });
const blob = (start: string) => `.headrace/artifacts/blobs/${start}/${start}${'0'.repeat(62)}`;

/** A project with something of each kind that may go, and of each that looks alike and may not. */
function grownProject(): TestProject {
  const project = ownProject();
  const set = (name: string) => {
    project.write(`${name}.csv`, `customer,amount,at\nada,${name.length},${new Date().toISOString()}\n`);
    const create = `training-set create --service numbers --spine ${name}.csv --timestamp at --out ${name}.parquet`;
    return project.json<{ id: string }>(create).id;
  };
  set('old');
  project.json(['models', 'register', 'returns', 'quarter.onnx', '--training-set', set('needed')]);
  // Five revisions, each with code of its own; what was made by the first stays, and the last two.
  for (const factor of [2, 3, 4, 5]) {
    const changed = REPOSITORY.replace('request.amount / customer', `${factor} * request.amount / customer`);
    project.write('feature_repo/shop.ts', changed);
    project.json('apply --yes');
  }
  // As no command does it: when they came to be.
  const registry = registryOf(project);
  registry.exec('update registry_applies set applied_at = applied_at - 172800000000');
  registry.close();
  for (const path of files(project.file('.headrace/artifacts/blobs'))) age(path);
  for (const [name, content] of [
    [blob('ab'), 'orphan'],
    ['.headrace/artifacts/.partial/half', 'half'],
    ['.headrace/offline/training-sets/nobodys.parquet', 'leftover'],
    ['old.parquet.unfinished-1234', 'leftover'],
    ['.headrace/predictions/outcomes/date=2026-01-01/hour=07/a.parquet', 'leftover'],
    ['.headrace/offline/spill/duckdb-dead/part.tmp', 'leftover'],
    ['.headrace/offline/spill/duckdb-dead.lock', ''],
    ['.headrace/environments/0123456789abcdef/bin/python', 'leftover'],
    ['.headrace/environments/0123456789abcdef.ready', ''],
  ] as const)
    age(project.write(name, content));
  // Young ones.
  project.write(blob('cd'), 'about to be named');
  project.write('.headrace/environments/fedcba9876543210.ready', '');
  project.write('.headrace/artifacts/.partial/other', 'under way');
  return project;
}

describe('headrace gc', { timeout: 400_000 }, () => {
  it('removes exactly what a dry run shows, beside a server, and writes it to the audit log', async () => {
    const project = grownProject();
    const server = await project.serve();
    const others = () => files(project.file('.')).filter((path) => !path.includes('registry.db'));
    const everything = others();
    const first = project.run('gc --dry-run', SHORT);
    expect(first.stdout).toMatch(/^KIND +WHAT +WHY +SIZE +AGE$/m);
    expect(first.stdout).toMatch(/items would go, [\d.]+ [KM]?B\.$/m);
    const planned = gc(project, ' --dry-run');
    expect(planned.items.map(({ kind }) => kind).sort()).toEqual([
      // The orphan alone: code of revisions goes once they have gone.
      'object',
      'partial object',
      'prediction file',
      'python environment',
      'revision',
      'revision',
      'spill folder',
      'training set',
      'training set file',
      'unfinished file',
    ]);
    expect(planned.items.find(({ kind }) => kind === 'training set')?.what).toContain('old.parquet');
    expect(planned.bytes).toBe(planned.items.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0));
    expect(others()).toEqual(everything);

    expect(gc(project)).toMatchObject({ items: planned.items, failures: [] });
    type Change = { action: string; object: string; reason: string | null };
    const { changes } = project.json<{ changes: Change[] }>('audit --limit 1000');
    const told = changes.filter(({ action }) => action === 'gc.remove');
    const removed = planned.items.map(({ kind, id }) => `${kind.replaceAll(' ', '-')}/${id}`);
    expect(told.map(({ object }) => object).sort()).toEqual(removed.sort());
    expect(told.every(({ reason }) => reason !== null)).toBe(true);
    const left = ['old.parquet', 'old.parquet.unfinished-1234', blob('ab'), blob('cd'), 'needed.parquet'];
    expect(left.filter((name) => existsSync(project.file(name)))).toEqual([blob('cd'), 'needed.parquet']);

    // Now the code of the revisions that went.
    expect(new Set(gc(project).items.map(({ kind }) => kind))).toEqual(new Set(['object']));
    expect(gc(project).items).toEqual([]);

    // All that is needed answers as before.
    expect((await predict(server)).status).toBe(200);
    const { revisions } = project.json<{ revisions: { revision: number }[] }>('history');
    expect(revisions.map(({ revision }) => revision)).toEqual([5, 4, 1]);
    for (const revision of ['4', '1']) project.json(`rollback ${revision}`);
    expect(project.run('rollback 2').stderr).toContain('there is no revision 2');
    const [set] = project.json<{ training_sets: { id: string }[] }>('training-set list').training_sets;
    expect(project.run(['training-set', 'audit', set?.id ?? '']).code).toBe(0);
    expect(project.run('doctor').code).toBe(0);
  });

  it('killed while it works leaves nothing that dangles, and the next goes on; two at once do no harm', async () => {
    const project = grownProject();
    const startGc = () => {
      const env = { ...process.env, npm_lifecycle_event: '', ...SHORT };
      const child = spawn(process.execPath, [MAIN, 'gc'], { cwd: project.directory, env, stdio: 'ignore' });
      return { child, ended: once(child, 'exit') };
    };
    const { child, ended } = startGc();
    const registry = registryOf(project);
    const count = (from: string): unknown => registry.prepare(`select count(*) as n from ${from}`).get()?.['n'];
    const REMOVALS = "registry_audit where action = 'gc.remove'";
    // It has decided on something by then, or has come to its end.
    await expect.poll(() => Number(count(REMOVALS)), { timeout: 60_000, interval: 5 }).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await ended;
    const { training_sets: sets } = project.json<{ training_sets: { path: string }[] }>('training-set list');
    for (const { path } of sets) expect(existsSync(path), path).toBe(true);
    const both = await Promise.all([startGc().ended, startGc().ended]);
    expect(both.map(([code]) => code as number | null)).toEqual([0, 0]);
    gc(project);
    expect(gc(project).items).toEqual([]);
    expect(count('housekeeping_removals')).toBe(0);
    // Each removal is told once.
    expect(count(REMOVALS)).toBe(count(`(select distinct object from ${REMOVALS})`));
    registry.close();
  });

  it('removes what retention lets go of the event log, as headrace log prune does', () => {
    const retention = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop', pushLog: { retention: '2d' } });
`;
    const project = ownProject({ 'headrace.config.ts': retention, 'feature_repo/shop.ts': REPOSITORY });
    project.json('apply');
    for (const days of [5, 0.5]) {
      project.write('events.jsonl', JSON.stringify(purchase('ada', 1, days * 1440)));
      project.json('push purchases events.jsonl');
    }
    project.json('materialize --incremental');
    const { items } = gc(project, ' --dry-run');
    expect(items).toMatchObject([{ kind: 'log segment', what: 'cuts 1 to 1 of writer 1, 1 event' }]);
    expect(project.run('log list').stdout).toMatch(/1 to 1 .*\n.* 1 to 1 /);
    expect(gc(project)).toMatchObject({ items, stayed: [], failures: [] });
    expect(project.run('log list').stdout).toMatch(/none \(1 removed\).*\n.* 1 to 1 /);
    expect(gc(project).items).toEqual([]);
  });
});
