// Versions of views as an operator meets them: who pins them, when they go, how to go back, and what is refused.
// twin: test/contract/registry-versions.test.ts > is refused while it is applied, served or read by a model version
// twin: test/property/view-versions.test.ts > equal the oracle once readers may take them, with pushes that are kept: %s
// twin: test/unit/cli-views.test.ts > says under it what is short, and whose cuts wait

import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { constantModel } from '../support/onnx-model.ts';
import { REPOSITORY, type ServerProcess } from '../support/serving-project.ts';
import {
  ownProject,
  predict,
  purchase,
  pushPurchases,
  send,
  type TestProject,
  testProject,
} from '../support/test-project.ts';

interface View {
  readonly version: string;
  readonly current: boolean;
  readonly complete: boolean;
  readonly read_by: readonly object[];
}
const viewsOf = (project: TestProject) => project.json<{ views: View[] }>('views').views;
const versionsOf = (project: TestProject) => viewsOf(project).map(({ version }) => version);

/** Another window: another version of the view. */
const CHANGED = REPOSITORY.replace(".over('1d')", ".over('2d')");
const WITHOUT_MODEL = CHANGED.slice(0, CHANGED.indexOf('export const returns = model('));
const AT_ONCE = { HEADRACE_ONLINE_KEEP_VERSIONS: '0s' };

describe('a version of a view', () => {
  const project = testProject();
  let old: string;
  const apply = (shop: string): void => {
    project.write('feature_repo/shop.ts', shop);
    project.json('apply --yes');
  };
  const models = [1, 2].map((version) => ({ kind: 'model', model: 'returns', version }));

  it('is kept for the model versions that were trained on it, and answers until the next is filled', () => {
    old = versionsOf(project)[0] ?? '';
    apply(CHANGED);
    const before = viewsOf(project);
    expect(before).toMatchObject([
      { current: true, complete: false },
      { version: old, current: false, complete: true },
    ]);
    const service = { kind: 'service', service: 'numbers', revision: 1 };
    expect(before[1]?.read_by).toEqual(expect.arrayContaining([service, ...models]));
    expect(project.run('views').stdout).toContain(`${before[0]?.version} waits for a run`);
    const { stderr } = project.run('materialize --incremental');
    expect(stderr).toContain(`${before[0]?.version} is complete: readers move to it.`);
    const after = viewsOf(project);
    expect(after).toMatchObject([
      { current: true, complete: true },
      { current: false, complete: true },
    ]);
    expect(after[1]?.read_by).toEqual(models);
  });

  it('can’t be removed while a model version reads it', () => {
    const { code, stderr } = project.run(`views remove ${old}`);
    const why = expect.stringMatching(/^HR_CONFLICT: .*headrace models retire returns 1/m);
    expect({ code, stderr }).toEqual({ code: 1, stderr: why });
  });

  it('goes once they are retired, with its records; then none of them can have traffic', () => {
    project.write('third.onnx', constantModel(4, 0.5));
    project.json('models register returns third.onnx');
    const inUse = project.run('models retire returns 1');
    expect(inUse.stderr).toMatch(/^HR_CONFLICT: .*endpoint "checkout".*alias "champion"/);
    project.json('endpoints traffic checkout stable=3:100');
    project.json('models alias returns champion 3');
    for (const version of [1, 2]) project.json(`models retire returns ${version}`);
    expect(project.json(`views remove ${old}`)).toEqual({ version: old, removed: true, swept: true });
    expect(versionsOf(project)).not.toContain(old);
    expect(project.run('endpoints traffic checkout stable=1:100').stderr).toMatch(/^HR_\w+: .*retired/);
  });

  it('whose records are gone is not gone back to: the command that brings it back is told, and does', () => {
    const refused = project.run('rollback 1');
    expect(refused.code).toBe(1);
    const command = /`headrace (materialize [^`]+)`/.exec(refused.stderr)?.[1] ?? '';
    expect(command).toBe(`materialize --incremental --views ${old}`);
    expect(project.run(command).code).toBe(0);
    expect(project.json('rollback 1')).toMatchObject({ revision: 3 });
    expect(viewsOf(project)[0]).toMatchObject({ version: old, current: true, complete: true });
    const ada = [{ customer: 'ada', amount: 20 }];
    expect(project.features('numbers', ada)).toMatchObject([{ history__purchases_1d: 2 }]);
  });

  it('that nothing reads goes by itself, after a while', () => {
    const count = viewsOf(project).length;
    // A model version reads it still.
    project.json('materialize --incremental', AT_ONCE);
    expect(viewsOf(project)).toHaveLength(count);
    project.json('endpoints traffic checkout stable=3:100');
    apply(REPOSITORY);
    project.json('models register returns third.onnx --alias champion');
    project.json('endpoints traffic checkout stable=4:100');
    project.json('models retire returns 3');
    project.json('materialize --incremental', AT_ONCE);
    expect(versionsOf(project)).toEqual([old]);
  });

  it('is kept for a model version whose model is defined no more, until that is retired', () => {
    apply(WITHOUT_MODEL);
    project.json('materialize --incremental', AT_ONCE);
    const read_by = [{ kind: 'model', model: 'returns', version: 4 }];
    expect(viewsOf(project)[1]).toMatchObject({ version: old, read_by });
    project.json('models unalias returns champion');
    project.json('models retire returns 4');
    project.json('materialize --incremental', AT_ONCE);
    expect(versionsOf(project)).not.toContain(old);
  });
});

describe('apply', { timeout: 90_000 }, () => {
  /** Stops it where it holds neither the registry's lock nor the online store's, which would hold up every command. */
  function stopProcess(project: TestProject, { process: { pid } }: ServerProcess): void {
    for (let tries = 0; tries < 10; tries++) {
      const registry = new DatabaseSync(project.file('.headrace/registry.db'), { timeout: 30_000 });
      registry.exec('BEGIN EXCLUSIVE');
      spawnSync('kill', ['-STOP', String(pid)]);
      registry.exec('ROLLBACK');
      registry.close();
      if (project.run('views').code === 0) return;
      spawnSync('kill', ['-CONT', String(pid)]);
    }
    throw new Error('the server holds a lock wherever it is stopped');
  }

  it('from a commit before what is applied is refused; on purpose it goes', () => {
    const project = ownProject({ 'feature_repo/shop.ts': REPOSITORY, '.gitignore': '.headrace/' });
    const git = (words: string) =>
      spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...words.split(' ')], {
        cwd: project.directory,
      });
    for (const words of ['init -q', 'add -A', 'commit -qm one']) git(words);
    project.json('apply');
    project.write('feature_repo/shop.ts', CHANGED);
    git('commit -qam two');
    project.json('apply --yes');
    git('checkout -q HEAD~1');
    expect(project.run('apply').stderr).toContain('HR_OLDER_COMMIT: revision 2 was applied from commit ');
    expect(project.run('apply --yes').stderr).toContain('HR_OLDER_COMMIT');
    expect(project.json('apply --yes --allow-older')).toMatchObject({ revision: 3 });
    const applied = { commit: expect.stringMatching(/^.{40}$/), dirty: false };
    expect(project.json('history')).toMatchObject({ revisions: [applied, applied, applied] });
  });

  it('of code that the store has not, or has otherwise, is served by nobody; what was served goes on', async () => {
    const project = ownProject();
    const server = await project.serve();
    const blobs = project.file('.headrace/artifacts/blobs');
    const blobNames = () =>
      readdirSync(blobs, { recursive: true })
        .map(String)
        .filter((name) => name.length > 60);
    const before = blobNames();
    const doubled = REPOSITORY.replace('request.amount / customer', '2 * request.amount / customer');
    project.write('feature_repo/shop.ts', doubled);
    // The bundle comes to be altered between apply and the server: here, before the server looks.
    stopProcess(project, server);
    expect((await project.beside('apply --yes')).code).toBe(0);
    const added = blobNames().filter((name) => !before.includes(name));
    expect(added.length).toBe(1);
    const bundle = join(blobs, added[0] as string);
    writeFileSync(bundle, 'module.exports = () => ({ ratio: 666 });');
    spawnSync('kill', ['-CONT', String(server.process.pid)]);
    const health = async () => (await send(`${server.url}/health/ready`)).body;
    await expect.poll(async () => (await health())['not_loaded'], { timeout: 20_000 }).toMatchObject({ revision: 2 });
    const not_loaded = { reason: expect.stringContaining('is not what was applied') };
    expect(await health()).toMatchObject({ status: 'ready', revision: 1, not_loaded });
    const ratio = async () => {
      const { predictions } = await predict(server, [{ customer: 'ada', amount: 30 }], { return_features: true });
      return predictions[0]?.features['basket__ratio'];
    };
    const get = 'features get --service numbers --rows []';
    expect(await ratio()).toBe(2);
    expect(project.run(get).stderr).toContain('HR_CODE_ALTERED');
    rmSync(bundle);
    expect(project.run(get).stderr).toContain('HR_CODE_MISSING');
    // The repository has it still.
    project.json('apply');
    await expect.poll(async () => (await health())['revision'], { timeout: 20_000 }).toBe(2);
    expect((await health())['not_loaded']).toBeNull();
    // The model was registered with the old function.
    expect(await ratio()).toBe(2);
  });

  it('that takes a source away which a model version needs: pushes into it go on', async () => {
    const project = ownProject();
    const server = await project.serve();
    project.write('feature_repo/shop.ts', REPOSITORY.replace("pushed('purchases'", "pushed('orders'"));
    project.json('apply --yes');
    const pushed = await pushPurchases(server, [purchase('ada', 40)]);
    expect(pushed).toMatchObject({ status: 200, body: { accepted: 1 } });
    expect(await predict(server, undefined, { return_features: true })).toMatchObject({
      status: 200,
      predictions: [{ version: 1, features: { history__purchases_1d: 3, history__big_7d: 2 } }],
    });
  });

  it('goes back to a version that was removed while a stopped server folds into it, once a run has filled it', async () => {
    const project = ownProject();
    const server = await project.serve();
    project.json('models unalias returns champion');
    project.write('feature_repo/shop.ts', WITHOUT_MODEL);
    stopProcess(project, server);
    const [old = ''] = versionsOf(project);
    project.json('apply --yes');
    project.json('materialize --incremental');
    for (const version of [1, 2]) project.json(`models retire returns ${version}`);
    expect(project.json(`views remove ${old}`)).toMatchObject({ removed: true, swept: false });
    expect(project.run('rollback').stderr).toContain('HR_VERSION_INCOMPLETE');
    project.json(`materialize --incremental --views ${old}`);
    expect(project.json('rollback')).toMatchObject({ revision: 3 });
  });
});
