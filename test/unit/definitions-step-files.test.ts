// What travels with commands of the shell and with notebooks.

import { symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { type Files, writeFiles, writeRepository } from '../support/written-repository.ts';

const FILES: Readonly<Record<string, string>> = {
  Makefile: 'check:\n\tsh scripts/check.sh\n',
  'scripts/check.sh': 'true',
  'scripts/lib/shared.sh': 'true',
  'scripts/.hidden.sh': 'true',
  'data/spine.csv': 'a\n1\n',
  'notes.md': 'check.sh',
};

/** Paths of what travels with a step that does `action`, and the texts of them. */
async function travelling(
  action: string,
  files: Readonly<Record<string, string>> = FILES,
  binary: string[] = [],
): Promise<Readonly<Record<string, string | undefined>> | undefined> {
  const folder = await writeRepository({
    ...files,
    'p.ts': `import { notebook, pipeline, shell } from 'headrace';
const p = pipeline('p');
p.step('s', ${action});
export default p;`,
  });
  for (const name of binary) await writeFile(join(folder, name), Uint8Array.of(8, 0xff, 0xfe));
  const { manifest, bundles } = await loadDefinitions(folder, 'test');
  const found = manifest.pipelines['p']?.steps[0]?.action;
  if (found === undefined || !('files' in found)) return undefined;
  return Object.fromEntries((found.files ?? []).map(({ path, hash }) => [path, bundles.get(hash)]));
}
const pathsOf = async (...given: Parameters<typeof travelling>): Promise<string[] | undefined> => {
  const found = await travelling(...given);
  return found === undefined ? undefined : Object.keys(found);
};

describe('what travels with a command', () => {
  it.each([
    ['sh scripts/check.sh --strict', ['scripts/check.sh']],
    ['cd scripts; sh ./scripts/check.sh && cat "notes.md">out', ['notes.md', 'scripts/check.sh']],
    ['RULES=scripts/lib/shared.sh make -f Makefile', ['Makefile', 'scripts/lib/shared.sh']],
  ])('are the text files that its words name: %s', async (command, expected) => {
    expect(await pathsOf(`shell(${JSON.stringify(command)})`)).toEqual(expected);
  });

  it.each(['true', 'wc -l data/spine.csv', 'cat /etc/hosts ../x .hidden scripts .', 'sh scripts/.hidden.sh'])(
    'is nothing that is data, hidden, elsewhere or a folder: %s',
    async (command) => {
      expect(await pathsOf(`shell('${command}')`)).toBeUndefined();
    },
  );

  it('is what it lists, folders with all that is in them', async () => {
    const found = await travelling(`shell('make', { files: ['./scripts/', 'Makefile'] })`);
    expect(found).toEqual({ Makefile: FILES['Makefile'], 'scripts/check.sh': 'true', 'scripts/lib/shared.sh': 'true' });
  });

  it.each([
    ['none.sh', /step "s" of pipeline "p" needs none\.sh, which is not in the feature repository/],
    ['../x.sh', /takes \.\.\/x\.sh, which is outside/],
    ['/etc/hosts', /takes \/etc\/hosts, which is outside/],
    ['m.onnx', /needs m\.onnx, which is no text in UTF-8/],
  ])('is refused where it is not there, is outside, or is no text: %s', async (file, message) => {
    await expect(pathsOf(`shell('make', { files: ['${file}'] })`, FILES, ['m.onnx'])).rejects.toThrow(message);
  });

  it('leaves out what is no text in a folder, and what a command names', async () => {
    const found = await pathsOf(`shell('fit m.onnx', { files: ['scripts'] })`, FILES, ['scripts/m.onnx']);
    expect(found).toEqual(['scripts/check.sh', 'scripts/lib/shared.sh']);
  });
});

describe('what travels with a notebook', () => {
  const cell = (type: string, source: unknown): object => ({
    cell_type: type,
    source,
    metadata: {},
    outputs: ['rows.sql'],
  });
  const book = (...cells: object[]): string => JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
  const files = {
    'fit/shapes.py': 'open("limits.json")',
    'fit/params.json': '{}',
    'fit/limits.json': '{}',
    'fit/rows.sql': '',
    'fit/other.ipynb': book(),
    'requirements.txt': '',
  };

  it('is itself, Python files beside it, what its code names, and its requirements', async () => {
    const text = book(
      cell('markdown', '`open("rows.sql")`'),
      cell('code', ['import shapes\n', 'open("params.json")']),
      cell('code', 'x = 1'),
    );
    const found = await travelling(`notebook('./fit/x.ipynb', { requirements: 'requirements.txt' })`, {
      ...files,
      'fit/x.ipynb': text,
    });
    const beside = ['limits.json', 'params.json', 'shapes.py', 'x.ipynb'].map((name) => `fit/${name}`);
    expect(Object.keys(found ?? {})).toEqual([...beside, 'requirements.txt']);
    expect(found?.['fit/x.ipynb']).toBe(text);
  });

  it('is refused where it is no notebook', async () => {
    for (const text of ['', '[1]', '{"cells": 3}', 'import shapes'])
      await expect(pathsOf(`notebook('x.ipynb')`, { 'x.ipynb': text })).rejects.toThrow(
        /step "s" of pipeline "p" runs x\.ipynb, which is no notebook/,
      );
    await expect(pathsOf(`notebook('none.ipynb')`)).rejects.toThrow(/needs none\.ipynb, which is not/);
  });

  it('is nothing where it lies elsewhere on the machine', async () => {
    expect(await pathsOf(`notebook('/opt/x.ipynb')`)).toBeUndefined();
  });
});

describe('what travels with a Python step', () => {
  let folder: string;
  const write = (files: Files): Promise<void> => writeFiles(folder, files);
  const filesOf = async (script: string, options = '{}'): Promise<string[]> => {
    await write({
      'repo/train.ts': `import { pipeline, python } from 'headrace';
const p = pipeline('train');
p.step('fit', python('${script}', ${options}));
export default p;`,
    });
    const { manifest } = await loadDefinitions(join(folder, 'repo'), 'test');
    const action = manifest.pipelines['train']?.steps[0]?.action;
    if (action?.kind !== 'python') throw new Error('no Python step');
    return (action.files ?? []).map(({ path }) => path);
  };
  beforeEach(async () => {
    folder = await writeRepository({});
  });

  it('is the script and the Python files beside and beneath it that it imports, not those of a virtual environment', async () => {
    const others = ['shapes.py', 'idle.py', 'notes.txt', 'env/pyvenv.cfg', 'env/lib/numpy.py', '../other.py'];
    for (const name of others) await write({ [`repo/fit/${name}`]: '' });
    await write({ 'repo/fit/train.py': 'import numpy, other, parts.one', 'repo/fit/parts/one.py': 'import shapes' });
    expect(await filesOf('./fit/train.py')).toEqual(['fit/parts/one.py', 'fit/shapes.py', 'fit/train.py']);
  });

  it('is what of the text files there one of them names in quotes', async () => {
    await write({
      'repo/fit/train.py': `open("params.json"); open('queries/rows.sql'); open(HERE / "parts" / "far.yaml")`,
      'repo/fit/params.json': '{}',
      'repo/fit/queries/rows.sql': '',
      'repo/fit/parts/far.yaml': '',
      'repo/fit/other-params.json': '{}',
      'repo/fit/data/params.json': '{}',
      'repo/params.json': '{}',
    });
    const named = ['fit/params.json', 'fit/parts/far.yaml', 'fit/queries/rows.sql'];
    expect(await filesOf('fit/train.py')).toEqual([...named, 'fit/train.py']);
  });

  it('is no text file of the same name in another folder than the one that is named', async () => {
    await write({
      'repo/fit/train.py': `open("account.json"); open('queries/rows.sql'); import parts.one`,
      'repo/fit/parts/one.py': 'open(HERE / "limits.json")',
      'repo/fit/account.json': '{}',
      'repo/fit/sub/account.json': '{}',
      'repo/fit/sub/queries/rows.sql': '',
      'repo/fit/parts/limits.json': '{}',
      'repo/fit/sub/limits.json': '{}',
    });
    const beside = ['account.json', 'parts/limits.json', 'parts/one.py', 'train.py'];
    expect(await filesOf('fit/train.py')).toEqual(beside.map((name) => `fit/${name}`));
  });

  it.each([
    ['from the repository’s root', `open('fit/queries/rows.sql')`],
    ['from its own folder', `open("./queries/rows.sql")`],
    ['after a folder that is known when it runs', `open(f"{HERE}/queries/rows.sql"); HERE + "/queries/rows.sql"`],
    ['in parts', `open(HERE / "queries" / 'rows.sql')`],
    ['in parts, over several lines', `os.path.join(\n    HERE,\n    "queries",\n    f"rows.sql",\n)`],
  ])('is a text file that is named %s', async (_how, text) => {
    await write({
      'repo/fit/train.py': `# isn't it\n${text}`,
      'repo/fit/queries/rows.sql': '',
      'repo/fit/rows.sql/a.sql': '',
    });
    expect(await filesOf('fit/train.py')).toEqual(['fit/queries/rows.sql', 'fit/train.py']);
  });

  it('is refused where text files make it too many, or too large', async () => {
    const names = Array.from({ length: 1000 }, (_, at) => `t${at}.json`);
    for (const name of names) await write({ [`repo/${name}`]: '{}' });
    await write({ 'repo/train.py': JSON.stringify(names) });
    await expect(filesOf('train.py')).rejects.toThrow(
      /step "fit" of pipeline "train" brings more than 1000 files with it, text files that its Python files name among them, and no more travel\. Name fewer/,
    );
    await write(Object.fromEntries(names.slice(0, 11).map((name) => [`repo/${name}`, ' '.repeat(950_000)])));
    await write({ 'repo/train.py': JSON.stringify(names.slice(0, 11)) });
    await expect(filesOf('train.py')).rejects.toThrow(
      /step "fit" of pipeline "train" brings more than 10 MB with it, and that much does not travel\. .*training set/,
    );
  });

  it('is no file that is no text, or is large: those are data', async () => {
    await write({ 'repo/train.py': `open("model.onnx"); open("rows.csv")`, 'repo/rows.csv': 'a,b\n'.repeat(300_000) });
    writeFileSync(join(folder, 'repo/model.onnx'), Uint8Array.of(8, 0xff, 0xfe));
    expect(await filesOf('train.py')).toEqual(['train.py']);
  });

  it('is what links beside it lead to, by the names of the links', async () => {
    await write({
      'repo/common/shapes.py': 'A = 1',
      'repo/common/params.json': '{}',
      'away.json': '{}',
      'repo/fit/train.py': 'import shapes; open("params.json"); open("away.json"); open("folder.json")',
    });
    const link = (to: string, name: string): void => symlinkSync(to, join(folder, 'repo/fit', name));
    link('../common/shapes.py', 'shapes.py');
    link('../common/params.json', 'params.json');
    link('../../away.json', 'away.json');
    link('../common', 'folder.json');
    expect(await filesOf('fit/train.py')).toEqual(['fit/params.json', 'fit/shapes.py', 'fit/train.py']);
  });

  it('is its requirements and the files that these take in', async () => {
    await write({
      'repo/fit/train.py': '',
      'repo/envs/fit.txt': '-r base.txt\n-c ../pins.txt\n-r /opt/own.txt\n-r https://example.com/x.txt\n',
      'repo/envs/base.txt': 'numpy\n-r fit.txt\n',
      'repo/pins.txt': 'numpy==2.0',
    });
    const options = `{ requirements: './envs/fit.txt' }`;
    const needed = ['envs/base.txt', 'envs/fit.txt', 'fit/train.py', 'pins.txt'];
    expect(await filesOf('fit/train.py', options)).toEqual(needed);
    await write({ 'repo/envs/base.txt': '-r ../../own.txt' });
    await expect(filesOf('fit/train.py', options)).rejects.toThrow(/takes \.\.\/own\.txt, which is outside/);
    await write({ 'repo/envs/base.txt': '-r none.txt' });
    await expect(filesOf('fit/train.py', options)).rejects.toThrow(/needs envs\/none\.txt, which is not/);
  });

  it('is refused outside the repository, and where it is too much to be the team’s own', async () => {
    await write({ 'train.py': '', 'repo/train.py': '' });
    await expect(filesOf('../train.py')).rejects.toThrow(
      /takes \.\.\/train\.py, which is outside the feature repository/,
    );
    for (let n = 0; n < 1000; n++) await write({ [`repo/lib/m${n}.py`]: '' });
    expect(await filesOf('train.py')).toEqual(['train.py']);
    await write({ 'repo/train.py': 'import sys; sys.path.append("lib")' });
    await expect(filesOf('train.py')).rejects.toThrow(/brings 1001 Python files with it.*at most 1000 travel/);
  });

  it.each([
    ['it changes where modules are found', 'import sys; sys.path.append("lib")', /train\.py uses sys\.path/],
    ['it imports by a name that is computed', '__import__(name)', /known only as it runs/],
    ['it cannot be read', 'print("', /train\.py cannot be read as Python: a string that begins in line 1 has no end/],
    ['another that it imports does', 'import idle', /idle\.py imports pkgutil/],
  ])('is all that lies beside and beneath it, with the reason, where %s', async (_why, text, reason) => {
    await write({ 'repo/fit/train.py': text, 'repo/fit/idle.py': 'import pkgutil', 'repo/fit/sub/one.py': '' });
    expect(await filesOf('fit/train.py')).toEqual(['fit/idle.py', 'fit/sub/one.py', 'fit/train.py']);
    const { manifest } = await loadDefinitions(join(folder, 'repo'), 'test');
    expect(manifest.pipelines['train']?.steps[0]?.action).toMatchObject({ whole: expect.stringMatching(reason) });
  });

  it('is all of it where the step sets PYTHONPATH', async () => {
    await write({
      'repo/fit/train.py': '',
      'repo/fit/idle.py': '',
      'repo/own.ts': `import { pipeline, python } from 'headrace';
export const own = pipeline('own');
own.step('fit', python('fit/train.py'), { env: { PYTHONPATH: 'fit/lib' } });`,
    });
    const { manifest } = await loadDefinitions(join(folder, 'repo'), 'test');
    expect(manifest.pipelines['own']?.steps[0]?.action).toMatchObject({
      files: [{ path: 'fit/idle.py' }, { path: 'fit/train.py' }],
      whole: expect.stringMatching(/PYTHONPATH/),
    });
  });

  it('names a script that is not there', async () => {
    await expect(filesOf('train.py')).rejects.toThrow(/step "fit" of pipeline "train" needs train\.py, which is not/);
  });
});
