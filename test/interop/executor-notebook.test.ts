// A notebook as a step, run by papermill as it comes from the package index.

import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import { openExecutorWorld } from '../support/executor-world.ts';

// Of its own, and kept: its packages are many.
const environmentsDirectory = join(tmpdir(), 'headrace-notebook-environments');
const world = openExecutorWorld({ environmentsDirectory });
afterAll(() => world.close());

const cell = (id: string, source: string, tags: readonly string[] = []) => ({
  cell_type: 'code',
  id,
  source,
  metadata: { tags },
  outputs: [],
  execution_count: null,
});
const notebook = (...cells: readonly object[]): string =>
  JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });

it('runs with its arguments as parameters, and is kept as it ran and as a page', async () => {
  const files = await world.files({
    'notebooks/report.ipynb': notebook(
      cell('a', 'power = 1', ['parameters']),
      cell(
        'b',
        'import json, os\nprint("power", power)\njson.dump({"power": power}, open(os.environ["HEADRACE_STEP_OUTPUT"] + "/result.json", "w"))',
      ),
    ),
  });
  const script = 'notebooks/report.ipynb';
  const [end] = await world.run({ kind: 'notebook', script, args: { power: 7 }, files });
  expect(await world.value(end)).toMatchObject({ power: 7, files: { 'report.ipynb': {}, 'report.html': {} } });
  expect(world.log()).toContain('power 7\n');
  const kept = end?.kind === 'succeeded' ? end.files : {};
  const text = async (name: string): Promise<string> => {
    const { sha256 = '' } = kept[name] ?? {};
    return Buffer.from((await world.objects.get(`blobs/${sha256.slice(0, 2)}/${sha256}`)) ?? []).toString();
  };
  expect(JSON.parse(await text('report.ipynb')).cells.at(-1).outputs).toMatchObject([{ text: ['power 7\n'] }]);
  expect(await text('report.html')).toContain('power 7');
});

it('fails with what its cell raised', async () => {
  const files = await world.files({ 'bad.ipynb': notebook(cell('a', '1/0')) });
  const [end] = await world.run({ kind: 'notebook', script: 'bad.ipynb', args: {}, files });
  expect(end).toMatchObject({
    kind: 'failed',
    reason: expect.stringMatching(/^exit code 1: .*ZeroDivisionError: division by zero/),
  });
  expect(world.log()).toContain('ZeroDivisionError: division by zero');
});
