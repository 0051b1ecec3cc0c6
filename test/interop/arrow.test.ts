// Features and predictions in the hands of pyarrow: every type in every form that it sends, every column that it reads, and the
// lines of the guide.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARROW_REPOSITORY } from '../support/arrow-shop.ts';
import { passThroughModel } from '../support/onnx-model.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';
import { programOutput } from '../support/program-output.ts';
import { bringPackages } from '../support/python-packages.ts';
import { guideBlocks } from '../support/run-guide.ts';
import { skipBecause } from '../support/skips.ts';

const VERSION = '26.0.1';
const CLIENT = join(import.meta.dirname, '../support/arrow-client.py');

const brought = bringPackages(`pyarrow-${VERSION}`, [`pyarrow==${VERSION}`]);
if (typeof brought === 'string') skipBecause(`Arrow in pyarrow's hands: ${brought}`);
const python = typeof brought === 'string' ? '' : join(brought.bin, 'python');

describe.skipIf(typeof brought === 'string')('pyarrow', () => {
  let open: OpenServing;
  beforeAll(async () => {
    open = await openServing({
      repository: ARROW_REPOSITORY,
      features: 1,
      onnx: passThroughModel([{ name: 'label__points', type: 'int64', shape: [null] }]),
    });
    const at = new Date(Date.now() - 60_000).toISOString();
    const full = {
      flag: true,
      small: 1,
      large: '9223372036854775807',
      single: 0.5,
      double: 0.1,
      name: 'ü',
      code: 'AQID',
      seen: '1969-12-31T23:59:59.999999Z',
      embedding: [1, 2, 3],
      tags: ['a', null],
      counts: ['1', null],
    };
    const none = Object.fromEntries(Object.keys(full).map((name) => [name, null]));
    const rows = [
      { account: 1, ...full, at },
      { account: 2, ...none, at },
    ];
    expect((await open.post('/v1/sources/facts/push', { rows })).json()).toMatchObject({ accepted: 2 });
  });
  afterAll(() => open.close());

  it('sends and reads every type, and what it reads is what JSON tells', async () => {
    const [, cases = '0'] = /^ok (\d+)$/m.exec(await programOutput(python, [CLIENT, open.serving.url])) ?? [];
    expect(Number(cases)).toBeGreaterThan(50);
  });

  it('reads what the guide shows', async () => {
    const code = guideBlocks('arrow.md', 'python').join('\n').replaceAll('http://127.0.0.1:8080', open.serving.url);
    const script = open.project.write('guide.py', code);
    const output = await programOutput(python, [script], open.project.directory);
    expect(output).toContain('known__name');
    expect(output).toContain('prediction_id');
  });
});
