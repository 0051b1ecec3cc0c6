// A member of a pipeline that came later is left out where nobody wrote it: what is applied keeps its hash.

import { expect, it } from 'vitest';
import { contentHash } from '../../src/core/index.ts';
import {
  featureService,
  grid,
  model,
  pipeline,
  python,
  range,
  registerModel,
  t,
  trainingSet,
} from '../../src/index.ts';
import { compile, delays } from '../support/written-definitions.ts';

it('a pipeline with what there was from the start has the hash that it had', () => {
  const service = featureService('svc', [delays]);
  const scored = model('m', { features: service, outputs: { p: t.float32() } });
  const p = pipeline('p', {
    schedule: '0 3 * * *',
    timezone: 'Europe/Berlin',
    params: { seed: t.int32().default(7) },
    description: 'd',
  });
  const data = p.step('data', trainingSet({ service, spine: 's.parquet', label: 'late' }));
  const fit = p.step('fit', python('fit.py', { requirements: 'r.txt', args: { a: 1 } }), {
    needs: { data },
    foreach: grid({ a: [1, 2] }),
    retry: 2,
    timeout: '30m',
    resources: { cpu: 2, memory: '4Gi' },
  });
  p.step('each', python('x.py'), { foreach: fit });
  p.step('items', python('x.py'), { foreach: [1, 'a', { b: [true] }] });
  p.step('range', python('x.py'), { foreach: range(2, 5) });
  p.step('register', registerModel(scored, { alias: 'champion' }), { needs: { fit } });
  expect(contentHash(compile({ p }).manifest.pipelines)).toBe(
    '6ba4bf58e571e14a0e1cb199859b15d3eee9465a668c492ad3efd1f882ab044b',
  );
});
