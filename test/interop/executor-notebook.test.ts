// A notebook as a step, run by papermill as it comes from the package index.

import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import { openExecutorWorld } from '../support/executor-world.ts';

// Of its own, and kept: its packages are many.
const environmentsDirectory = join(tmpdir(), 'headrace-notebook-environments');
const world = openExecutorWorld({ environmentsDirectory });
afterAll(() => world.close());

const code = { cell_type: 'code', outputs: [], execution_count: null };
const cell = (id: string, source: string, tags: readonly string[] = []) => ({
  ...code,
  id,
  source,
  metadata: { tags },
});
const notebook = (...cells: readonly object[]): string =>
  JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });

it('runs with its arguments as parameters, and is kept as it ran and as a page', async () => {
  const script = 'notebooks/report.ipynb';
  const dump =
    'import json, os\nprint("power", power)\njson.dump({"power": power}, open(os.environ["HEADRACE_STEP_OUTPUT"] + "/result.json", "w"))';
  const text = notebook(cell('a', 'power = 1', ['parameters']), cell('b', dump));
  const files = await world.files({ [script]: text });
  const [end] = await world.run({ kind: 'notebook', script, args: { power: 7 }, files });
  expect(await world.value(end)).toMatchObject({ power: 7, files: { 'report.ipynb': {}, 'report.html': {} } });
  expect(world.log()).toContain('power 7\n');
  const kept = end?.kind === 'succeeded' ? end.files : {};
  const textOf = async (name: string): Promise<string> => {
    const { sha256 = '' } = kept[name] ?? {};
    return Buffer.from((await world.objects.get(`blobs/${sha256.slice(0, 2)}/${sha256}`)) ?? []).toString();
  };
  expect(JSON.parse(await textOf('report.ipynb')).cells.at(-1).outputs).toMatchObject([{ text: ['power 7\n'] }]);
  expect(await textOf('report.html')).toContain('power 7');
});

it('fails with what its cell raised', async () => {
  const files = await world.files({ 'bad.ipynb': notebook(cell('a', '1/0')) });
  const [end] = await world.run({ kind: 'notebook', script: 'bad.ipynb', args: {}, files });
  const reason = expect.stringMatching(/^exit code 1: .*ZeroDivisionError: division by zero/);
  expect(end).toMatchObject({ kind: 'failed', reason });
  expect(world.log()).toContain('ZeroDivisionError: division by zero');
});
