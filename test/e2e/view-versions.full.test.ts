// Versions of views as an operator meets them: who pins them, when they go, how to go back, and what is refused.
// twin: test/contract/registry-versions.test.ts > is refused while it is applied, served or read by a model version
// twin: test/property/view-versions.test.ts > equal the oracle once readers may take them
// twin: test/unit/cli-views.test.ts > says under it what is short

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { headraceBeside } from '../support/evolving-project.ts';
import { constantModel } from '../support/onnx-model.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  REPOSITORY,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

interface View {
  readonly view: string;
  readonly version: string;
  readonly current: boolean;
  readonly complete: boolean;
  readonly read_by: readonly object[];
}

const viewsOf = (project: Project) => (headraceJson(project, ['views']) as { views: View[] }).views;
const shown = (views: readonly View[]) => views.map(({ current, complete }) => ({ current, complete }));

/** Another window: another version of the view. */
const CHANGED = REPOSITORY.replace(".over('1d')", ".over('2d')");

describe('a version of a view', () => {
  let project: Project;
  let old: string;
  beforeAll(() => {
    project = createServingProject();
    old = viewsOf(project)[0]?.version ?? '';
  });
  afterAll(() => project.remove());

  it('is kept for the model versions that were trained on it, and answers until the next is filled', () => {
    project.write('feature_repo/shop.ts', CHANGED);
    headraceJson(project, ['apply', '--yes']);
    const [current, before] = viewsOf(project);
    expect(shown([current, before] as View[])).toEqual([
      { current: true, complete: false },
      { current: false, complete: true },
    ]);
    expect(before?.version).toBe(old);
    expect(before?.read_by).toEqual(
      expect.arrayContaining([
        { kind: 'service', service: 'numbers', revision: 1 },
        { kind: 'model', model: 'returns', version: 1 },
        { kind: 'model', model: 'returns', version: 2 },
      ]),
    );
    expect(headrace(project, ['views']).stdout).toContain(`${current?.version} waits for a run`);
    const materialized = headrace(project, ['materialize', '--incremental']);
    expect(materialized.stderr).toContain(`${current?.version} is complete: readers move to it.`);
    const [moved, kept] = viewsOf(project);
    expect(shown([moved, kept] as View[])).toEqual([
      { current: true, complete: true },
      { current: false, complete: true },
    ]);
    expect(kept?.read_by).toEqual([
      { kind: 'model', model: 'returns', version: 1 },
      { kind: 'model', model: 'returns', version: 2 },
    ]);
  });

  it('can’t be removed while a model version reads it', () => {
    const { code, stderr } = headrace(project, ['views', 'remove', old]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^HR_CONFLICT: .*headrace models retire returns 1/),
    });
  });

  it('goes once they are retired, with its records; then none of them can have traffic', () => {
    project.write('third.onnx', constantModel(4, 0.5));
    headraceJson(project, ['models', 'register', 'returns', 'third.onnx']);
    const inUse = headrace(project, ['models', 'retire', 'returns', '1']);
    expect(inUse.stderr).toMatch(/^HR_CONFLICT: .*endpoint "checkout".*alias "champion"/);
    headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=3:100']);
    headraceJson(project, ['models', 'alias', 'returns', 'champion', '3']);
    headraceJson(project, ['models', 'retire', 'returns', '1']);
    headraceJson(project, ['models', 'retire', 'returns', '2']);
    expect(headraceJson(project, ['views', 'remove', old])).toEqual({ version: old, removed: true, swept: true });
    expect(viewsOf(project).map(({ version }) => version)).not.toContain(old);
    const traffic = headrace(project, ['endpoints', 'traffic', 'checkout', 'stable=1:100']);
    expect(traffic.stderr).toMatch(/^HR_\w+: .*retired/);
  });

  it('whose records are gone is not gone back to: the command that brings it back is told, and does', () => {
    const refused = headrace(project, ['rollback', '1']);
    expect(refused.code).toBe(1);
    const command = /`headrace (materialize [^`]+)`/.exec(refused.stderr)?.[1] ?? '';
    expect(command).toBe(`materialize --incremental --views ${old}`);
    expect(headrace(project, command.split(' ')).code).toBe(0);
    expect(headraceJson(project, ['rollback', '1'])).toMatchObject({ revision: 3 });
    const [current] = viewsOf(project);
    expect(current).toMatchObject({ version: old, current: true, complete: true });
    const rows = '[{"customer":"ada","amount":20}]';
    expect(headraceJson(project, ['features', 'get', '--service', 'numbers', '--rows', rows])).toMatchObject({
      rows: [{ features: { history__purchases_1d: 2 } }],
    });
  });

  it('that nothing reads goes by itself, after a while', () => {
    const gone = viewsOf(project).filter(({ current }) => !current);
    // A model version reads it still.
    headraceJson(project, ['materialize', '--incremental'], { HEADRACE_ONLINE_KEEP_VERSIONS: '0s' });
    expect(viewsOf(project).length).toBe(1 + gone.length);
    headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=3:100']);
    project.write('feature_repo/shop.ts', REPOSITORY);
    headraceJson(project, ['apply', '--yes']);
    headraceJson(project, ['models', 'register', 'returns', 'third.onnx', '--alias', 'champion']);
    headraceJson(project, ['endpoints', 'traffic', 'checkout', 'stable=4:100']);
    headraceJson(project, ['models', 'retire', 'returns', '3']);
    headraceJson(project, ['materialize', '--incremental'], { HEADRACE_ONLINE_KEEP_VERSIONS: '0s' });
    expect(viewsOf(project).map(({ version }) => version)).toEqual([old]);
  });

  it('is kept for a model version whose model is defined no more, until that is retired', () => {
    project.write('feature_repo/shop.ts', CHANGED.slice(0, CHANGED.indexOf('export const returns = model(')));
    headraceJson(project, ['apply', '--yes']);
    headraceJson(project, ['materialize', '--incremental'], { HEADRACE_ONLINE_KEEP_VERSIONS: '0s' });
    const [, kept] = viewsOf(project);
    expect(kept).toMatchObject({ version: old, read_by: [{ kind: 'model', model: 'returns', version: 4 }] });
    headraceJson(project, ['models', 'unalias', 'returns', 'champion']);
    headraceJson(project, ['models', 'retire', 'returns', '4']);
    headraceJson(project, ['materialize', '--incremental'], { HEADRACE_ONLINE_KEEP_VERSIONS: '0s' });
    expect(viewsOf(project).map(({ version }) => version)).not.toContain(old);
  });
});

describe('apply', () => {
  let project: Project;
  let server: ServerProcess | undefined;
  afterEach(async () => {
    server?.process.kill('SIGCONT');
    await server?.stop();
    server = undefined;
    project.remove();
  });
  /** Stops it where it holds neither the registry's lock nor the online store's, which would hold up every command. */
  const stopProcess = ({ process: { pid } }: ServerProcess): void => {
    for (let tries = 0; tries < 10; tries++) {
      const registry = new DatabaseSync(project.file('.headrace/registry.db'), { timeout: 30_000 });
      registry.exec('BEGIN EXCLUSIVE');
      spawnSync('kill', ['-STOP', String(pid)]);
      registry.exec('ROLLBACK');
      registry.close();
      if (headrace(project, ['views']).code === 0) return;
      spawnSync('kill', ['-CONT', String(pid)]);
    }
    throw new Error('the server holds a lock wherever it is stopped');
  };
  const git = (...args: string[]) =>
    spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], { cwd: project.directory });

  it('from a commit before what is applied is refused; on purpose it goes', () => {
    project = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/shop.ts': REPOSITORY,
      '.gitignore': '.headrace/',
    });
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'one');
    headraceJson(project, ['apply']);
    project.write('feature_repo/shop.ts', CHANGED);
    git('commit', '-qam', 'two');
    headraceJson(project, ['apply', '--yes']);
    git('checkout', '-q', 'HEAD~1');
    const refused = headrace(project, ['apply']);
    expect(refused.stderr).toContain('HR_OLDER_COMMIT: revision 2 was applied from commit ');
    expect(headrace(project, ['apply', '--yes']).stderr).toContain('HR_OLDER_COMMIT');
    expect(headraceJson(project, ['apply', '--yes', '--allow-older'])).toMatchObject({ revision: 3 });
    const { revisions } = headraceJson(project, ['history']) as { revisions: { commit: string; dirty: boolean }[] };
    expect(revisions.map(({ commit, dirty }) => [commit.length, dirty])).toEqual([
      [40, false],
      [40, false],
      [40, false],
    ]);
  });

  it('twice at once: each is whole, and one that was planned on what is gone says so', async () => {
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
    headraceJson(project, ['apply']);
    const other = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': CHANGED });
    const env = {
      HEADRACE_REGISTRY_URL: `sqlite:${project.file('.headrace/registry.db')}`,
      HEADRACE_ARTIFACTS_URL: `file:${project.file('.headrace/artifacts')}`,
    };
    project.write('feature_repo/shop.ts', REPOSITORY.replace(".over('1d')", ".over('3d')"));
    const both = await Promise.all([
      headraceBeside(project, ['apply', '--yes'], env),
      headraceBeside(other, ['apply', '--yes'], env),
    ]);
    other.remove();
    const failed = both.filter(({ code }) => code !== 0);
    expect(failed.length).toBeLessThan(2);
    for (const { stderr } of failed) expect(stderr).toContain('HR_CONFLICT');
    const { revisions } = headraceJson(project, ['history']) as { revisions: object[] };
    expect(revisions.length).toBe(3 - failed.length);
  });

  it('of code that the store has not, or has otherwise, is served by nobody; what was served goes on', async () => {
    project = createServingProject();
    server = await startServe(project);
    const blobs = project.file('.headrace/artifacts/blobs');
    const before = new Set(readdirSync(blobs, { recursive: true }).map(String));
    project.write(
      'feature_repo/shop.ts',
      REPOSITORY.replace('request.amount / customer', '2 * request.amount / customer'),
    );
    // The bundle comes to be altered between apply and the server: here, before the server looks.
    stopProcess(server);
    expect((await headraceBeside(project, ['apply', '--yes'])).code).toBe(0);
    const added = readdirSync(blobs, { recursive: true })
      .map(String)
      .filter((name) => !before.has(name) && name.length > 60);
    expect(added.length).toBe(1);
    writeFileSync(join(blobs, added[0] as string), 'module.exports = () => ({ ratio: 666 });');
    spawnSync('kill', ['-CONT', String(server.process.pid)]);
    const health = async () => (await (await fetch(`${server?.url}/health/ready`)).json()) as Record<string, unknown>;
    await expect.poll(async () => (await health())['not_loaded'], { timeout: 5000 }).toMatchObject({ revision: 2 });
    expect(await health()).toMatchObject({
      status: 'ready',
      revision: 1,
      not_loaded: { reason: expect.stringContaining('is not what was applied') },
    });
    const body = JSON.stringify({ inputs: [{ customer: 'ada', amount: 30 }], options: { return_features: true } });
    const headers = { 'content-type': 'application/json' };
    const predict = async () =>
      (await (
        await fetch(`${server?.url}/v1/endpoints/checkout/predict`, { method: 'POST', headers, body })
      ).json()) as {
        predictions: { features: Record<string, number> }[];
      };
    expect((await predict()).predictions[0]?.features['basket__ratio']).toBe(2);
    expect(headrace(project, ['features', 'get', '--service', 'numbers', '--rows', '[]']).stderr).toContain(
      'HR_CODE_ALTERED',
    );
    rmSync(join(blobs, added[0] as string));
    expect(headrace(project, ['features', 'get', '--service', 'numbers', '--rows', '[]']).stderr).toContain(
      'HR_CODE_MISSING',
    );
    // The repository has it still.
    headraceJson(project, ['apply']);
    await expect.poll(async () => (await health())['revision'], { timeout: 5000 }).toBe(2);
    expect((await health())['not_loaded']).toBeNull();
    // The model was registered with the old function.
    expect((await predict()).predictions[0]?.features['basket__ratio']).toBe(2);
  }, 90_000);

  it('that takes a source away which a model version needs: pushes into it go on', async () => {
    project = createServingProject();
    server = await startServe(project);
    const other = REPOSITORY.replace("pushed('purchases'", "pushed('orders'");
    project.write('feature_repo/shop.ts', other);
    headraceJson(project, ['apply', '--yes']);
    const rows = [{ customer: 'ada', amount: 40, points: 1, bought_at: new Date(Date.now() - 1000).toISOString() }];
    const headers = { 'content-type': 'application/json' };
    const post = async (path: string, body: object) => {
      const response = await fetch(`${server?.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, ...((await response.json()) as object) };
    };
    expect(await post('/v1/sources/purchases/push', { rows })).toMatchObject({ status: 200, accepted: 1 });
    const predict = { inputs: [{ customer: 'ada', amount: 1 }], options: { return_features: true } };
    expect(await post('/v1/endpoints/checkout/predict', predict)).toMatchObject({
      status: 200,
      predictions: [{ version: 1, features: { history__purchases_1d: 3, history__big_7d: 2 } }],
    });
  }, 60_000);

  it('goes back to a version that was removed while a stopped server folds into it, once a run has filled it', async () => {
    project = createServingProject();
    server = await startServe(project);
    headraceJson(project, ['models', 'alias', 'returns', 'champion', '2']);
    headrace(project, ['models', 'unalias', 'returns', 'champion']);
    project.write('feature_repo/shop.ts', CHANGED.slice(0, CHANGED.indexOf('export const returns = model(')));
    stopProcess(server);
    const old = viewsOf(project)[0]?.version ?? '';
    headraceJson(project, ['apply', '--yes']);
    headraceJson(project, ['materialize', '--incremental']);
    for (const version of ['1', '2']) headraceJson(project, ['models', 'retire', 'returns', version]);
    expect(headraceJson(project, ['views', 'remove', old])).toMatchObject({ removed: true, swept: false });
    expect(headrace(project, ['rollback']).stderr).toContain('HR_VERSION_INCOMPLETE');
    headraceJson(project, ['materialize', '--incremental', '--views', old]);
    expect(headraceJson(project, ['rollback'])).toMatchObject({ revision: 3 });
    spawnSync('kill', ['-CONT', String(server.process.pid)]);
  }, 90_000);
});
