// A batch that lies at the place of a new one is taken away in an order that never leaves it looking whole.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { removeBatch } from '../../src/batch-prediction/predict-file.ts';
import { folderOfTest } from '../support/new-folder.ts';

it('removes the manifest and the job before any part, and then every part with its record', async () => {
  const work = folderOfTest();
  const removed: string[] = [];
  const [parts, others] = [
    ['part-00000.parquet', 'part-00001.csv'],
    ['_job.json', '_manifest.json'],
  ];
  const names = new Set([...parts, '_work/part-00000.json', ...others, 'notes.txt']);
  const folder = { work, remove: async (name: string) => void removed.push(name) };
  writeFileSync(join(work, 'features.parquet'), '');
  await removeBatch(folder, names);
  expect(removed.slice(0, 2).toSorted()).toEqual(others);
  expect(removed.slice(2).toSorted()).toEqual(['_work/part-00000.json', ...parts]);
  // Features of the batch before are not taken for those of the next.
  expect(existsSync(join(work, 'features.parquet'))).toBe(false);
});
