// What a batch keeps of itself, and how its rows are cut.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AskedJob, type Job, partRowsFor, partsAmong, readJob } from '../../src/batch-prediction/job.ts';
import { refuseOther } from '../../src/batch-prediction/job.ts';

const ASKED: AskedJob = {
  endpoint: 'delay',
  variant: 'stable',
  model: 'm',
  version: 1,
  arm: 'abc',
  input: '/rows.parquet',
  slice: null,
  timestamp: 'at',
  boundary: 'at',
  columns: null,
  features: false,
  badRows: 'fail',
  format: 'parquet',
};
const JOB: Job = {
  job: 1,
  ...ASKED,
  inputs: [{ path: '/rows.parquet', size: 3, identity: 'x' }],
  rows: 10,
  partRows: 5,
  inputColumns: ['id'],
  featureFile: 'y',
  started_at: '2026-01-01T00:00:00Z',
};

describe('a batch’s parts', () => {
  it('are never too small or too large, and enough for all threads where there are rows for them', () => {
    fc.assert(
      fc.property(fc.nat({ max: 200_000_000 }), fc.integer({ min: 1, max: 128 }), (rows, threads) => {
        const size = partRowsFor(rows, threads);
        expect(size).toBeGreaterThanOrEqual(8192);
        expect(size).toBeLessThanOrEqual(245_760);
        if (rows >= threads * 8192 * 4) expect(Math.ceil(rows / size)).toBeGreaterThanOrEqual(threads);
      }),
    );
  });

  it('are told from other files by their names', () => {
    const names = ['part-00000.parquet', 'part-123456.csv'];
    const others = ['part-1.parquet', '_work/part-00000.json', 'my-part-00000.csv'];
    expect(partsAmong(new Set([...names, ...others]))).toEqual(names);
  });
});

describe('what a batch says of itself', () => {
  it('is read back, and nothing else is taken for it', () => {
    expect(readJob(JSON.stringify(JOB))).toEqual(JOB);
    const texts = fc.oneof(fc.string(), fc.json());
    fc.assert(fc.property(texts, (text) => readJob(text) === undefined));
    const text = JSON.stringify(JOB);
    for (let end = 0; end < text.length; end++) expect(readJob(text.slice(0, end))).toBeUndefined();
    for (const key of Object.keys(JOB).filter((name) => !(name in ASKED)))
      expect(readJob(JSON.stringify({ ...JOB, [key]: undefined })), key).toBeUndefined();
  });

  it('is another’s where anything that was asked for differs, which is named', () => {
    expect(() => refuseOther('out', JOB, ASKED)).not.toThrow();
    for (const key of Object.keys(ASKED) as (keyof AskedJob)[])
      expect(() => refuseOther('out', { ...JOB, [key]: 'other' }, ASKED), key).toThrow(/another batch: its .*"other"/);
  });
});
