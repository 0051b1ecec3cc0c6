// What only reads leaves the registry as it is: one that isn't there is not made, one of an earlier version is not migrated. A
// pull request that raises Headrace's version plans from CI against what production runs on.
// twin: test/contract/database.test.ts > opened to read
// twin: test/e2e/cli.test.ts > what only reads

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { flightsManifest } from '../support/manifests.ts';
import { makeOldRegistry } from '../support/old-registry.ts';
import { CONFIG, createProject, headrace, headraceJson, type Project, REPOSITORY } from '../support/serving-project.ts';

const READERS = ['plan', 'history', 'models list', 'endpoints list', 'views', 'audit', 'rollback 1 --dry-run'];

describe.each(testDatabases('commands that only read'))('what only reads, on $name', (databases) => {
  let project: Project;
  beforeAll(async () => {
    await databases.start();
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
  });
  afterAll(async () => {
    project.remove();
    await databases.stop();
  });

  const tablesOf = async (url: string): Promise<string[]> => {
    const database = await openDatabase(url);
    const tables = await database.tables().introspection.getTables();
    await database.close();
    return tables.flatMap(({ name, columns }) => columns.map((column) => `${name}.${column.name}`)).sort();
  };

  it('plans against an empty registry, and makes nothing', async () => {
    const HEADRACE_REGISTRY_URL = await databases.newUrl();
    const { code, stdout } = headrace(project, ['plan'], { HEADRACE_REGISTRY_URL });
    expect(code).toBe(2);
    expect(stdout).toContain('+ view history');
    if (databases.name === 'SQLite') expect(existsSync(HEADRACE_REGISTRY_URL.replace('sqlite:', ''))).toBe(false);
    expect(existsSync(join(project.directory, '.headrace', 'registry.db'))).toBe(false);
    expect(await tablesOf(HEADRACE_REGISTRY_URL)).toEqual([]);
    for (const words of ['runs list', 'training-set list', 'log list', 'history', 'audit'])
      headraceJson(project, words.split(' '), { HEADRACE_REGISTRY_URL });
    expect(await tablesOf(HEADRACE_REGISTRY_URL)).toEqual([]);
  }, 60_000);

  it('joins no registry that is not there, and makes none by a mistyped place; one that apply made is joined', async () => {
    const HEADRACE_REGISTRY_URL = await databases.newUrl();
    const run = '20261125-031500-9f3a61';
    const joins = ['worker', 'scheduler', `runs cancel ${run}`, `runs resume ${run}`, `runs rerun ${run} --from fit`];
    for (const words of joins) {
      const { code, stderr } = headrace(project, words.split(' '), { HEADRACE_REGISTRY_URL });
      expect([words, code]).toEqual([words, 1]);
      expect(stderr).toMatch(
        /^HR_CONFIG: there is no registry at .*HEADRACE_REGISTRY_URL.*`headrace apply` makes one/m,
      );
      if (databases.name === 'SQLite') expect(existsSync(HEADRACE_REGISTRY_URL.replace('sqlite:', ''))).toBe(false);
    }
    expect(await tablesOf(HEADRACE_REGISTRY_URL)).toEqual([]);
    headraceJson(project, ['apply'], { HEADRACE_REGISTRY_URL });
    const { stderr } = headrace(project, ['runs', 'cancel', run], { HEADRACE_REGISTRY_URL });
    expect(stderr).toMatch(/^HR_UNKNOWN_RUN: /m);
  }, 120_000);

  it('refuses an earlier registry with what it lacks, and leaves it; apply migrates it', async () => {
    const HEADRACE_REGISTRY_URL = await databases.newUrl();
    await makeOldRegistry(HEADRACE_REGISTRY_URL);
    const env = { HEADRACE_REGISTRY_URL, HEADRACE_PROJECT: flightsManifest.project };
    const before = await tablesOf(HEADRACE_REGISTRY_URL);
    for (const words of READERS) {
      const { code, stderr } = headrace(project, words.split(' '), env);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^HR_REGISTRY_OUTDATED: .*registry: 0002-view-versions, 0003.*`headrace apply` does\.$/m);
    }
    expect(await tablesOf(HEADRACE_REGISTRY_URL)).toEqual(before);
    expect(headrace(project, ['doctor'], env).stdout).toMatch(/registry.*\n?.*headrace apply/);
    // One that is refused leaves no owner's tables behind the others'.
    expect(headrace(project, ['apply'], env).stderr).toMatch(/^HR_BREAKING_CHANGE: /m);
    const names = new Set((await tablesOf(HEADRACE_REGISTRY_URL)).map((column) => column.split('.')[0]));
    for (const name of ['event_writers', 'pipeline_runs', 'online_runs', 'training_sets'])
      expect(names).toContain(name);
    headraceJson(project, ['apply', '--yes'], env);
    expect(headrace(project, ['plan'], env).code).toBe(0);
    expect(headrace(project, ['doctor'], env).stdout).toContain('ok    online store: ');
    expect(headraceJson(project, ['history'], { HEADRACE_REGISTRY_URL })).toMatchObject({
      revisions: [{ revision: 3 }, { revision: 2 }, { revision: 1 }],
    });
  }, 120_000);

  it('refuses tables of an earlier version beside those of the registry, and doctor tells of them as plan does', async () => {
    const HEADRACE_REGISTRY_URL = await databases.newUrl();
    headraceJson(project, ['apply'], { HEADRACE_REGISTRY_URL });
    const database = await openDatabase(HEADRACE_REGISTRY_URL);
    const { numDeletedRows } = await database
      .tables<{ headrace_migrations: { owner: string; name: string } }>()
      .deleteFrom('headrace_migrations')
      .where('owner', '=', 'online')
      .where('name', '=', '002-looks')
      .executeTakeFirstOrThrow();
    expect(numDeletedRows).toBe(1n);
    await database.close();
    expect(headrace(project, ['plan'], { HEADRACE_REGISTRY_URL }).stderr).toMatch(/^HR_REGISTRY_OUTDATED: /m);
    const { code, stdout } = headrace(project, ['doctor'], { HEADRACE_REGISTRY_URL });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ok {4}registry: /m);
    expect(stdout).toMatch(/^FAIL {2}online store: .*online: 002-looks.*\n.*→ headrace apply$/m);
  }, 60_000);
});
