import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { type Files, writeFiles, writeRepository } from '../support/written-repository.ts';

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

  it('is the script and the Python files beside and beneath it, not those of a virtual environment', async () => {
    await write({
      'repo/fit/train.py': '',
      'repo/fit/shapes.py': '',
      'repo/fit/parts/one.py': '',
      'repo/fit/notes.txt': '',
      'repo/fit/env/pyvenv.cfg': '',
      'repo/fit/env/lib/numpy.py': '',
      'repo/other.py': '',
    });
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
    expect(await filesOf('fit/train.py')).toEqual([
      'fit/account.json',
      'fit/parts/limits.json',
      'fit/parts/one.py',
      'fit/train.py',
    ]);
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
    await write({
      'repo/train.py': JSON.stringify(names),
      ...Object.fromEntries(names.map((name) => [`repo/${name}`, '{}'])),
    });
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
    expect(await filesOf('fit/train.py', options)).toEqual([
      'envs/base.txt',
      'envs/fit.txt',
      'fit/train.py',
      'pins.txt',
    ]);
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
    await expect(filesOf('train.py')).rejects.toThrow(/brings 1001 Python files with it.*at most 1000 travel/);
  });

  it('names a script that is not there', async () => {
    await expect(filesOf('train.py')).rejects.toThrow(/step "fit" of pipeline "train" needs train\.py, which is not/);
  });
});
