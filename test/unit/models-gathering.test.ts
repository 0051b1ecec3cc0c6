// Works that take several runs: what those give is gathered, as far as it is an answer that could be sent.

import { expect, it } from 'vitest';
import type { Tensor } from '../../src/models/index.ts';
import type { Batch } from '../../src/models/queue/queued-job.ts';
import { scopeOf } from '../support/model-works.ts';
import { openCore } from '../support/open-core.ts';

/** Of a run of four rows. */
const floats = (width: number): Tensor => ({
  type: 'float32',
  shape: [4, width],
  data: Float32Array.from({ length: 4 * width }, (_, at) => at),
});
const texts: Tensor = { type: 'string', shape: [4], data: ['a', 'b', 'c', 'd'] };

function submit(count: number) {
  const core = openCore();
  const told: string[] = [];
  core.submit({
    count,
    scope: scopeOf(),
    bind() {},
    done: (outputs) =>
      void told.push(outputs.map(({ shape, data }) => `${shape.join('×')}: ${data.join()}`).join('; ')),
    failed: ({ code, message }) => void told.push(`${code}: ${message}`),
  });
  return { core, told, take: () => core.take(performance.now()) as Batch };
}

it('are answered once, by the rows of all runs in order', () => {
  const { core, told, take } = submit(8);
  const [first, second] = [take(), take()];
  core.succeeded(second, [floats(1), texts], 1);
  expect(told).toEqual([]);
  core.succeeded(first, [floats(1), texts], 1);
  expect(told).toEqual(['8×1: 0,1,2,3,0,1,2,3; 8: a,b,c,d,a,b,c,d']);
});

it.each([
  ['numbers', 2 ** 31, floats(1), '8192 MiB'],
  ['numbers past what an array may have', 2 ** 50, floats(1), '4294967296 MiB'],
  ['many numbers a row', 2 ** 20, floats(1000), '4000 MiB'],
  ['texts', 2 ** 31, texts, '16384 MiB'],
])('fail where they would be no answer: %s', (_what, count, output, size) => {
  const { core, told, take } = submit(count);
  core.succeeded(take(), [output], 1);
  expect(told).toEqual([
    `HR_INFERENCE_FAILED: the model's runtime failed: its answer to ${count} rows would take ${size}, and one of several runs may take 1024 MiB. Send fewer rows`,
  ]);
  // Nothing of it runs any more.
  expect(core.take(performance.now())).toBeUndefined();
  expect(core.statistics()).toMatchObject({ queuedRows: 0, runningRows: 0, failures: count });
});
