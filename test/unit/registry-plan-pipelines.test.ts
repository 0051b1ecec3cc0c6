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
import { lines } from '../support/plans.ts';
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
  lines(before, after).filter((line) => !/^(add|change) /.test(line));

it('a plan tells each option of a pipeline and of its steps that came', () => {
  expect(linesOf(manifest(false), manifest(true))).toEqual([
    'meaning: catchUp: + "none"',
    'meaning: concurrency: + 2',
    'meaning: overlap: + "skip"',
    'meaning: on: + materialized delays',
    'meaning: on: + pushed flights',
    'meaning: on: + drift scores',
    'meaning: groups.country: + {"foreach":{"items":["de","fr"],"kind":"items"},"last":"fit","name":"country"}',
    'meaning: steps.check.needs.gate: + "gate"',
    'meaning: steps.check.retry: 0 → 3',
    'meaning: steps.check.when: + "gate"',
    'meaning: steps.check.delay: + "5s, times 3, up to 2m, 0 % random"',
    'meaning: steps.check.after: + "end"',
    'meaning: steps.check.catch: + true',
    'meaning: steps.check.cache: + true',
    'meaning: steps.check.isolate: + true',
    'meaning: steps.check.parallel: + 4',
    'meaning: steps.check.pool: + "warehouse"',
    'meaning: steps.check.executor: + "fleet"',
    'meaning: steps.check.env: + {"MODE":"quiet"}',
    'meaning: steps.check.secrets: + {"KEY":{"env":"SHOP_KEY"}}',
    expect.stringMatching(/^meaning: steps\.fit: \+ \{"action":\{"command":"make fit"/),
  ]);
});

it('a plan tells what went, and what is another', () => {
  const went = linesOf(manifest(true), manifest(false));
  expect(went).toContain('meaning: on: - drift scores');
  expect(went).toContain('meaning: steps.check.env: - {"MODE":"quiet"}');
  const shorter: Manifest = JSON.parse(
    JSON.stringify(manifest(true)).replace('"delayMicros":5000000', '"delayMicros":2000000'),
  );
  expect(linesOf(manifest(true), shorter)).toEqual([
    'meaning: steps.check.delay: "5s, times 3, up to 2m, 0 % random" → "2s, times 3, up to 2m, 0 % random"',
  ]);
});

it('says nothing where nothing differs', () => {
  expect(linesOf(manifest(true), manifest(true))).toEqual([]);
});
