// A batch that lies at the place of a new one is taken away in an order that never leaves it looking whole.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { removeBatch } from '../../src/batch-prediction/predict-file.ts';

it('removes the manifest and the job before any part, and then every part with its record', async () => {
  const work = mkdtempSync(join(tmpdir(), 'headrace-batch-replaced-'));
  const removed: string[] = [];
  const names = [
    'part-00000.parquet',
    'part-00001.csv',
    '_work/part-00000.json',
    '_job.json',
    '_manifest.json',
    'notes.txt',
  ];
  const folder = { work, remove: async (name: string) => void removed.push(name) };
  try {
    writeFileSync(join(work, 'features.parquet'), '');
    await removeBatch(folder, new Set(names));
    expect(removed.slice(0, 2).toSorted()).toEqual(['_job.json', '_manifest.json']);
    expect(removed.slice(2).toSorted()).toEqual(['_work/part-00000.json', 'part-00000.parquet', 'part-00001.csv']);
    // Features of the batch before are not taken for those of the next.
    expect(() => writeFileSync(join(work, 'features.parquet'), '', { flag: 'wx' })).not.toThrow();
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
