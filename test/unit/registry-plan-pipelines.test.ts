// What a plan tells of a pipeline that differs: each option that came, went or became another, a line each.

import { expect, it } from 'vitest';
import type { Manifest } from '../../src/definitions/index.ts';
import {
  drift,
  endpoint,
  featureService,
  materialized,
  model,
  pipeline,
  pushed,
  shell,
  t,
  task,
  trainingSet,
} from '../../src/index.ts';
import { plan } from '../support/plans.ts';
import { compile, delays, flights } from '../support/written-definitions.ts';

const service = featureService('svc', [delays]);
const scores = endpoint('scores', { model: model('m', { features: service, outputs: { p: t.float32() } }) });
const flag = (): boolean => true;

function manifest(isNew: boolean): Manifest {
  const p = pipeline('train', isNew ? LATER : { schedule: '0 3 * * *' });
  const data = p.step('data', trainingSet({ service, spine: 's.parquet' }));
  const gate = p.step('gate', task(flag), { needs: { data } });
  p.step('check', shell('make check'), isNew ? { ...OPTIONS, needs: { data }, when: gate } : { needs: { data } });
  if (isNew) p.foreach('country', ['de', 'fr'], (q) => q.step('fit', shell('make fit'), { needs: { data } }));
  return compile({ p, scores }).manifest;
}

const LATER = {
  schedule: '0 3 * * *',
  catchUp: 'none',
  concurrency: 2,
  overlap: 'skip',
  on: [materialized(delays), pushed(flights), drift(scores)],
} as const;
const OPTIONS = {
  after: 'end',
  retry: { times: 3, delay: '5s', factor: 3, max: '2m', jitter: 0 },
  catch: true,
  cache: true,
  parallel: 4,
  pool: 'warehouse',
  isolate: true,
  executor: 'fleet',
  env: { MODE: 'quiet' },
  secrets: { KEY: { env: 'SHOP_KEY' } },
} as const;

const linesOf = (before: Manifest, after: Manifest): string[] =>
  plan(before, after).changes.flatMap(({ object, lines }) =>
    lines.map(({ kind, text }) => `${object} ${kind}: ${text}`),
  );

it('a plan tells each option of a pipeline and of its steps that came', () => {
  expect(linesOf(manifest(false), manifest(true))).toEqual([
    'pipeline meaning: catchUp: + "none"',
    'pipeline meaning: concurrency: + 2',
    'pipeline meaning: overlap: + "skip"',
    'pipeline meaning: on: + materialized delays',
    'pipeline meaning: on: + pushed flights',
    'pipeline meaning: on: + drift scores',
    'pipeline meaning: groups.country: + {"foreach":{"items":["de","fr"],"kind":"items"},"last":"fit","name":"country"}',
    'pipeline meaning: steps.check.needs.gate: + "gate"',
    'pipeline meaning: steps.check.retry: 0 → 3',
    'pipeline meaning: steps.check.when: + "gate"',
    'pipeline meaning: steps.check.delay: + "5s, times 3, up to 2m, 0 % random"',
    'pipeline meaning: steps.check.after: + "end"',
    'pipeline meaning: steps.check.catch: + true',
    'pipeline meaning: steps.check.cache: + true',
    'pipeline meaning: steps.check.isolate: + true',
    'pipeline meaning: steps.check.parallel: + 4',
    'pipeline meaning: steps.check.pool: + "warehouse"',
    'pipeline meaning: steps.check.executor: + "fleet"',
    'pipeline meaning: steps.check.env: + {"MODE":"quiet"}',
    'pipeline meaning: steps.check.secrets: + {"KEY":{"env":"SHOP_KEY"}}',
    expect.stringMatching(/^pipeline meaning: steps\.fit: \+ \{"action":\{"command":"make fit"/),
  ]);
});

it('a plan tells what went, and what is another', () => {
  const went = linesOf(manifest(true), manifest(false));
  expect(went).toContain('pipeline meaning: on: - drift scores');
  expect(went).toContain('pipeline meaning: steps.check.env: - {"MODE":"quiet"}');
  const shorter: Manifest = JSON.parse(
    JSON.stringify(manifest(true)).replace('"delayMicros":5000000', '"delayMicros":2000000'),
  );
  expect(linesOf(manifest(true), shorter)).toEqual([
    'pipeline meaning: steps.check.delay: "5s, times 3, up to 2m, 0 % random" → "2s, times 3, up to 2m, 0 % random"',
  ]);
});

it('says nothing where nothing differs', () => {
  expect(linesOf(manifest(true), manifest(true))).toEqual([]);
});
