// What a cached step goes by outside of its order, and where that can't be known, why its cache is off.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ExecutorSpec, StepAction } from '../../src/definitions/index.ts';
import { type CacheReadsDeps, openCacheReads } from '../../src/orchestrator/driver/cache-reads.ts';
import { sharedParts, taskParts } from '../../src/orchestrator/driver/cache-keys.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { installedBeside, openInterpreter } from '../../src/orchestrator/step/python-environment.ts';
import { openObjectStore, putBlob } from '../../src/storage/index.ts';
import { undocumented } from '../support/documented-cache-parts.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { plainStep } from '../support/plain-step.ts';
import { orderOf } from '../support/step-order.ts';

let folder: string;
const write = (name: string, text: string): string => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};
/** A package as pip leaves it in an environment. */
const install = (name: string, version: string, files: Readonly<Record<string, string>> = {}): void => {
  const at = `env/lib/python3.11/site-packages/${name}-${version}.dist-info`;
  for (const [file, text] of Object.entries({ RECORD: '', ...files })) write(`${at}/${file}`, text);
};

beforeEach(() => {
  folder = folderOfTest();
});

async function readsOf(
  action: StepAction,
  { executor, ...more }: Partial<CacheReadsDeps> & { readonly executor?: ExecutorSpec } = {},
  order: StepOrder = orderOf(action),
) {
  const read = openCacheReads({
    interpreter: async () => ({ version: '3.11.2', packages: { numpy: '2.0' } }),
    environments: { interpreter: async () => join(folder, 'env/bin/python') },
    objects: openObjectStore(`file:${join(folder, 'artifacts')}`),
    repository: folder,
    workDirectory: join(folder, 'work'),
    path: folder,
    executor: executor ?? 'local',
    version: '1.2.3',
    builtIns: {},
    ...more,
  });
  return await read(order, plainStep('s', { action }));
}

const script: StepAction = { kind: 'python', script: 'fit.py', args: {} };
const far = { kind: 'kubernetes', namespace: 'ml', image: 'team/headrace:1' } as const;

describe('a Python step', () => {
  it('goes by the interpreter and all that it has installed', async () => {
    const { reads, off } = await readsOf(script);
    expect(off).toBeUndefined();
    expect(reads).toMatchObject({ 'machine.python': '3.11.2', 'packages.numpy': '2.0' });
  });

  it('goes by what its requirements resolve to, pinned or not, whatever the interpreter has besides', async () => {
    const objects = openObjectStore(`file:${join(folder, 'artifacts')}`);
    const text = 'numpy\n-r more.txt\n';
    const files = [{ path: 'requirements.txt', hash: await putBlob(objects, Buffer.from(text)) }];
    const action: StepAction = { ...script, requirements: 'requirements.txt', files };
    let asked: string | undefined;
    const environments = {
      interpreter: async (file: string | undefined) => {
        asked = file;
        return join(folder, 'env/bin/python');
      },
    };
    install('numpy', '2.1');
    install('scipy', '1.9');
    const { reads } = await readsOf(action, { environments });
    expect(reads).toMatchObject({ 'packages.numpy': '2.1', 'packages.scipy': '1.9' });
    expect(asked).toMatch(/requirements\.txt$/);
  });

  it('has its cache off where its packages can not be known', async () => {
    const action: StepAction = { ...script, requirements: 'requirements.txt' };
    expect((await readsOf(action, { executor: far })).off).toMatch(
      /requirements\.txt are installed on another machine/,
    );
    const environments = { interpreter: () => Promise.reject(new Error('no network')) };
    expect((await readsOf(action, { environments })).off).toMatch(/could not be seen: no network/);
    install('own', '1.0', { 'direct_url.json': '{"url":"file:///own","dir_info":{"editable":true}}' });
    expect((await readsOf(action)).off).toMatch(/the package own is installed from a folder, whose files may change/);
  });

  it('goes by the files of a package that was installed from a file, whatever its version says', async () => {
    const direct = { 'direct_url.json': '{"url":"file:///w.whl","archive_info":{}}' };
    install('own', '1.0', { ...direct, RECORD: 'a' });
    const before = await installedBeside(join(folder, 'env/bin/python'));
    install('own', '1.0', { ...direct, RECORD: 'b' });
    const after = await installedBeside(join(folder, 'env/bin/python'));
    expect(before['own']).toMatch(/^1\.0 [0-9a-f]{64}$/);
    expect(after['own']).not.toBe(before['own']);
  });

  it('at an absolute path goes by its content and that of what it imports', async () => {
    const path = write('own/fit.py', 'import helper');
    write('own/helper.py', 'A = 1');
    const own: StepAction = { kind: 'python', script: path, args: {} };
    const { reads: before } = await readsOf(own);
    write('own/helper.py', 'A = 2');
    const { reads: after } = await readsOf(own);
    const part = `code.files.${join(folder, 'own/helper.py')}`;
    expect(after[part]).not.toBe(before[part]);
    expect({ ...after, [part]: 0 }).toEqual({ ...before, [part]: 0 });
    write('own/helper.py', 'exec(x)');
    expect((await readsOf(own)).off).toMatch(/what .*fit\.py imports is not known: .*helper\.py uses exec/);
    expect((await readsOf(own, { executor: far })).off).toMatch(/lies on another machine/);
  });

  it('elsewhere goes by what the place is called', async () => {
    const { reads } = await readsOf(script, { executor: far });
    expect(reads['machine.executor']).toEqual({ kind: 'kubernetes', image: 'team/headrace:1', template: null });
    expect((await readsOf(script, { executor: 'fleet' })).reads['machine.executor']).toBe('fleet');
  });

  it('has the packages that a real interpreter lists', async () => {
    const found = await openInterpreter('python3')();
    expect(found.version).toMatch(/^3\./);
    for (const [name, version] of Object.entries(found.packages)) {
      expect(name).toBe(name.toLowerCase());
      if (version !== null) expect(version).not.toBe('');
    }
    // A warning that comes last is no result.
    const warns = write(
      'bin/python',
      `#!/bin/sh
case "$2" in
  *sys.executable*) echo "$0"; echo 3.11.2 ;;
  *) python3 "$@" ;;
esac
echo '["a warning at the end"]' >&2
`,
    );
    chmodSync(warns, 0o755);
    expect(await openInterpreter(warns)()).toEqual(found);
    const interpreter = openInterpreter('no-such-python');
    expect((await readsOf(script, { interpreter })).off).toMatch(/a step needs Python 3, tried "no-such-python"/);
  });
});

describe('a container', () => {
  const container = (image: string): StepAction => ({ kind: 'container', image, command: [] });
  const digest = `x@sha256:${'a'.repeat(64)}`;

  it('goes by the image that its tag stands for here', async () => {
    chmodSync(write('docker', '#!/bin/sh\n[ "$2" = inspect ] && echo sha256:77\n'), 0o755);
    expect((await readsOf(container('x:latest'))).reads).toMatchObject({ 'code.image.id': 'sha256:77' });
  });

  it('has its cache off where that can not be known, and not with a digest', async () => {
    const advice = /name it by its digest: team\/x@sha256:…$/;
    expect((await readsOf(container('team/x:latest'))).off).toMatch(advice);
    expect((await readsOf(container('team/x:latest'), { executor: far })).off).toMatch(advice);
    for (const executor of ['local', far] as const)
      expect((await readsOf(container(digest), { executor })).off).toBeUndefined();
  });
});

it('a step of Headrace’s own goes by what is read for it, and by the version', async () => {
  const action: StepAction = { kind: 'trainingSet', service: 's', spine: 'a.csv', labels: [], boundary: 'at' };
  const builtIns = { trainingSet: async () => ({ reads: { spine: 'x' } }) };
  expect(await readsOf(action, { builtIns })).toEqual({ reads: { 'machine.headrace': '1.2.3', spine: 'x' } });
  expect((await readsOf(action)).off).toMatch(/what a step of kind trainingSet reads is not known here/);
  const failing = { trainingSet: () => Promise.reject(new Error('the spine is gone')) };
  expect(await readsOf(action, { builtIns: failing })).toEqual({
    reads: {},
    off: 'what it reads could not be seen: the spine is gone',
  });
});

it('every part has a row in the guide', async () => {
  const members = { params: { a: 1 }, items: { g: 1 }, needs: { n: 1 }, env: { E: '' }, secrets: { S: { env: 'S' } } };
  chmodSync(write('docker', '#!/bin/sh\n[ "$2" = inspect ] && echo sha256:77\n'), 0o755);
  const actions: readonly StepAction[] = [
    script,
    { kind: 'shell', command: 'true' },
    { kind: 'container', image: 'x', command: [] },
    { kind: 'task', function: { id: 'f', hash: 'h' } },
  ];
  for (const action of actions) {
    for (const executor of ['local', 'fleet'] as const) {
      const order = orderOf(action, members);
      const cache = await readsOf(action, { executor }, order);
      expect(undocumented([...sharedParts({ ...order, cache }).keys(), ...taskParts(order, 0).keys()])).toEqual([]);
    }
  }
  expect(undocumented(['machine.mood'])).toEqual(['machine.mood']);
});
