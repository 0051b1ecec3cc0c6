// What travels with commands of the shell and with notebooks; definitions-script-files.test.ts has Python's.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { writeRepository } from '../support/written-repository.ts';

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
    expect(found).toEqual({
      Makefile: FILES['Makefile'],
      'scripts/check.sh': 'true',
      'scripts/lib/shared.sh': 'true',
    });
  });

  it('is refused where it is not there, is outside, or is no text', async () => {
    await expect(pathsOf(`shell('make', { files: ['none.sh'] })`)).rejects.toThrow(
      /step "s" of pipeline "p" needs none\.sh, which is not in the feature repository/,
    );
    await expect(pathsOf(`shell('make', { files: ['../x.sh'] })`)).rejects.toThrow(
      /takes \.\.\/x\.sh, which is outside/,
    );
    await expect(pathsOf(`shell('make', { files: ['/etc/hosts'] })`)).rejects.toThrow(
      /takes \/etc\/hosts, which is outside/,
    );
    await expect(pathsOf(`shell('make', { files: ['m.onnx'] })`, FILES, ['m.onnx'])).rejects.toThrow(
      /needs m\.onnx, which is no text in UTF-8/,
    );
    expect(await pathsOf(`shell('fit m.onnx', { files: ['scripts'] })`, FILES, ['scripts/m.onnx'])).toEqual([
      'scripts/check.sh',
      'scripts/lib/shared.sh',
    ]);
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
    expect(Object.keys(found ?? {})).toEqual([
      'fit/limits.json',
      'fit/params.json',
      'fit/shapes.py',
      'fit/x.ipynb',
      'requirements.txt',
    ]);
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
