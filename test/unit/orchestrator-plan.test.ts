// What the engine decides without running anything: items of a foreach, parameters, amounts of memory, models found.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Foreach, PipelineSpec, StepSpec } from '../../src/definitions/index.ts';
import { checkPools } from '../../src/orchestrator/check-pools.ts';
import { checkRunnable } from '../../src/orchestrator/check-runnable.ts';
import { foreachCount, foreachItem } from '../../src/orchestrator/foreach.ts';
import { isLeaseLive, newOwner } from '../../src/orchestrator/lease.ts';
import { modelCandidates } from '../../src/orchestrator/model-candidates.ts';
import { memoryBytes } from '../../src/orchestrator/resources.ts';
import { resolveParams } from '../../src/orchestrator/run-params.ts';
import { plainStep } from '../support/plain-step.ts';

const none = new Map<string, unknown>();

describe('foreach', () => {
  it('gives every combination of a grid once, the last axis fastest', () => {
    const axes = fc.dictionary(fc.string({ minLength: 1, maxLength: 3 }), fc.array(fc.nat(), { maxLength: 4 }), {
      maxKeys: 4,
    });
    fc.assert(
      fc.property(axes, (given) => {
        const foreach: Foreach = { kind: 'grid', axes: given };
        const items = Array.from({ length: foreachCount(foreach, none) }, (_, at) => foreachItem(foreach, at, none));
        let expected: Record<string, number>[] = [{}];
        for (const [name, values] of Object.entries(given)) {
          expected = expected.flatMap((item) => values.map((value) => ({ ...item, [name]: value })));
        }
        expect(items).toEqual(expected);
      }),
    );
  });

  it('counts 20,000 children of a grid without listing them', () => {
    const countries = Array.from({ length: 200 }, (_, at) => `c${at}`);
    const foreach: Foreach = {
      kind: 'grid',
      axes: { country: countries, trial: Array.from({ length: 100 }, (_, at) => at) },
    };
    expect(foreachCount(foreach, none)).toBe(20_000);
    expect(foreachItem(foreach, 19_999, none)).toEqual({ country: 'c199', trial: 99 });
  });

  it('says what came where a step gave no array to go over', () => {
    expect(() => foreachCount({ kind: 'result', of: 'list' }, new Map([['list', 'abc']]))).toThrow(
      /"list" needs an array from it, got string/,
    );
  });
});

describe('parameters', () => {
  const pipeline: PipelineSpec = {
    name: 'p',
    steps: [],
    params: [
      { name: 'seed', type: { kind: 'int32' }, default: 7 },
      { name: 'big', type: { kind: 'int64' } },
      { name: 'name', type: { kind: 'string' } },
      { name: 'day', type: { kind: 'timestamp' } },
      { name: 'list', type: { kind: 'list', of: { kind: 'string' } } },
    ],
  };

  it('reads text by the declared type and fills in defaults', () => {
    const given = { big: '9007199254740993', name: '12', day: '2026-11-25', list: '["a"]' };
    const read = { seed: 7, big: 9007199254740993n, name: '12', day: '2026-11-25T00:00:00Z', list: ['a'] };
    expect(resolveParams(pipeline, given)).toEqual(read);
  });

  it('names every mistake at once', () => {
    const others = { big: 1, day: null, list: [] };
    expect(() => resolveParams(pipeline, { seeds: 1, seed: 'x', ...others })).toThrow(
      expect.objectContaining({
        code: 'HR_INVALID',
        details: [
          { path: 'params.seeds', message: expect.stringContaining('Did you mean "seed"?') },
          { path: 'params.seed', message: 'expected int32, got string "x"' },
          {
            path: 'params.name',
            message: 'expected string, and nothing was given; it has no default. Give it: --param name=…',
          },
        ],
      }),
    );
  });
});

describe('a lease', () => {
  it('is live for its time while its process is, and no longer', () => {
    const owner = newOwner();
    expect(isLeaseLive(owner, 100, 99)).toBe(true);
    expect(isLeaseLive(owner, 100, 100)).toBe(false);
    expect(isLeaseLive(null, 100, 0)).toBe(false);
  });

  it('of a dead process of this machine is over at once; of another machine, only when it runs out', () => {
    const dead = newOwner().replace(/\/\d+\//, '/999999999/');
    expect(isLeaseLive(dead, 100, 0)).toBe(false);
    expect(isLeaseLive('elsewhere/999999999/ab', 100, 0)).toBe(true);
    // Another machine of the same host name, and of the same number of its processes' space.
    const [space = ''] = dead.split('/');
    expect(isLeaseLive(`${space.slice(0, -8)}00000000/999999999/ab`, 100, 0)).toBe(true);
  });
});

describe('models for registration', () => {
  const sha256 = 'a'.repeat(64);
  it('take their metrics from `metrics`, else from the numbers of the result', () => {
    const fit = [
      { auc: 0.7, kind: 'x', files: { 'model.onnx': { sha256 } } },
      { metrics: { loss: 1 }, auc: 0.8, files: { 'm/model.onnx': { sha256 }, 'notes.txt': { sha256 } } },
    ];
    expect(modelCandidates({ fit }, null).map((candidate) => candidate.metrics)).toEqual([{ auc: 0.7 }, { loss: 1 }]);
  });

  it('must be there, one a result', () => {
    expect(() => modelCandidates({ fit: { auc: 1 } }, null)).toThrow(
      /needs a step whose result comes with an \.onnx file/,
    );
    const two = { files: { 'a.onnx': { sha256 }, 'b.onnx': { sha256 } } };
    expect(() => modelCandidates({ two }, null)).toThrow(/got a\.onnx, b\.onnx/);
  });
});

it('reads every amount of memory that definitions let through, in either case', () => {
  const amounts = ['10B', '4gi', '512mb', '1 KiB', '2T', '7', '4Gi', '512Mi', '2GB', '1.5k'].map(memoryBytes);
  expect(amounts).toEqual([10, 2 ** 32, 512e6, 1024, 2e12, 7, 2 ** 32, 2 ** 29, 2e9, 1500]);
  expect(() => memoryBytes('lots')).toThrow(/"4Gi" or "512Mi", got "lots"/);
});

describe('a pipeline that asks for what there is not', () => {
  const runnable = (spec: StepSpec, more: Parameters<typeof checkRunnable>[1] = {}) =>
    expect(() => checkRunnable({ name: 'p', params: [], steps: [spec] }, more));
  it('is refused before anything runs, with each step and what of it', () => {
    const executor = { kind: 'kubernetes', namespace: 'ml', image: 'i' } as const;
    runnable(plainStep('a', { executor: 'fleet' })).not.toThrow();
    runnable(plainStep('b', { executor })).not.toThrow();
    const secrets = { KEY: { arn: 'arn:aws:x' } };
    runnable(plainStep('d', { executor, secrets })).toThrow(
      /step "d" has the secret KEY at an arn, which AWS Batch alone reads: name \{ secretKeyRef \}/,
    );
    const bare = { kind: 'container', image: 'i', command: [] } as const;
    runnable(plainStep('e', { action: bare }), { executor }).toThrow(/step "e" gives no command for the image i/);
    const to = { endpoint: 'e', input: 's3://b/in', timestamp: 'at', onError: 'fail', format: 'csv' } as const;
    const predicts = (out: string | undefined, on: StepSpec['executor']) =>
      runnable(
        plainStep('f', { action: { kind: 'predict', ...to, ...(out && { out }) }, ...(on && { executor: on }) }),
      );
    for (const out of [undefined, 'out', './out'])
      predicts(out, executor).toThrow(/step "f" would leave its predictions in a folder of its container/);
    for (const out of ['s3://bucket/out', '/shared/out']) predicts(out, executor).not.toThrow();
    for (const on of [undefined, 'local', 'fleet'] as const) predicts('out', on).not.toThrow();
    const check = (): never => {
      throw new Error('no shared store');
    };
    const clusters = { check, open: () => Promise.reject(new Error('not opened')) };
    runnable(plainStep('b', { executor }), { clusters }).toThrow(/no shared store/);
  });

  it('is refused where no setting has a step’s pool, with what to write', () => {
    const steps = [plainStep('a', { pool: 'gpu' }), plainStep('b', { pool: 'ware-house' })];
    const check = (pools: Record<string, number>) => () => checkPools({ name: 'p', steps }, pools);
    expect(check({ gpu: 2 })).toThrow(
      /pipeline "p" can not be run: step "b" asks for the pool "ware-house", and the setting orchestrator\.pools has "gpu" alone\..* orchestrator: \{ pools: \{ gpu: 2, 'ware-house': 4 \} \}/,
    );
    expect(check({})).toThrow(/step "a" asks for the pool "gpu"; step "b" .* orchestrator\.pools has none\./);
    expect(check({ gpu: 2, 'ware-house': 1 })).not.toThrow();
  });
});
