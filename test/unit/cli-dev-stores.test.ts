// `dev` works on the project's own stores only where nobody else can have them.

import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../src/app/index.ts';
import { chooseStores } from '../../src/cli/dev/dev-stores.ts';
import { folderOfFile } from '../support/new-folder.ts';

const directory = folderOfFile();
mkdirSync(join(directory, 'project'));

const choose = (written: object, variables: Readonly<Record<string, string>> = {}, folder = 'project') =>
  chooseStores(checkConfig({ project: 'shop', ...written }, join(directory, folder, 'headrace.config.ts'), variables));

describe('the stores of dev', () => {
  it('are the project’s own by default: all lie in its folder', () => {
    expect(choose({})).toEqual({ isOwn: true, shared: [], variables: {} });
  });

  it.each([
    ['registry.url', { registry: { url: 'postgres://db/headrace' } }],
    ['registry.url', { registry: { url: 'sqlite:../shared/registry.db' } }],
    ['registry.url', { registry: { url: 'sqlite::memory:' } }],
    ['online.url', { online: { url: 'redis://cache' } }],
    ['online.url', { online: { url: 'lmdb:/var/lib/headrace' } }],
    ['artifacts.url', { artifacts: { url: 's3://bucket/prefix' } }],
    ['pushLog.path', { pushLog: { path: '../log' } }],
    ['pushLog.topic', { pushLog: { topic: 'events', brokers: 'env:BROKERS' } }],
    ['offline.path', { offline: { path: '../offline' } }],
  ])('are of its own, all of them, where %s lies elsewhere', (key, written) => {
    const { isOwn, shared, variables } = choose(written);
    expect({ isOwn, shared }).toEqual({ isOwn: false, shared: [key] });
    const scratch = join(directory, 'project', '.headrace', 'dev');
    expect(variables).toMatchObject({
      HEADRACE_REGISTRY_URL: `sqlite:${join(scratch, 'registry.db')}`,
      HEADRACE_ONLINE_URL: `lmdb:${join(scratch, 'online')}`,
      HEADRACE_ARTIFACTS_URL: `file:${join(scratch, 'artifacts')}`,
      HEADRACE_PUSH_LOG_PATH: join(scratch, 'push-log'),
    });
    // What it gives is a configuration, and one that is the project's own.
    expect(choose(written, variables).isOwn).toBe(true);
  });

  it('go by the environment, which wins over the file', () => {
    expect(choose({}, { HEADRACE_REGISTRY_URL: 'postgres://db/headrace' }).shared).toEqual(['registry.url']);
    expect(choose({ registry: { url: 'postgres://db' } }, { HEADRACE_REGISTRY_URL: 'sqlite:r.db' }).isOwn).toBe(true);
  });

  it('go by where links lead: the folder may be one that others share', () => {
    mkdirSync(join(directory, 'linked'));
    mkdirSync(join(directory, 'shared'));
    symlinkSync(join(directory, 'shared'), join(directory, 'linked', '.headrace'));
    expect(choose({}, {}, 'linked').isOwn).toBe(false);
  });
});
