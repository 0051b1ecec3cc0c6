import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { hoursModel } from '../support/onnx-model.ts';

it('holds the demo’s broken model to what its README says of it', () => {
  const kept = readFileSync(new URL('../../feature_repo/models/morning.onnx', import.meta.url));
  const { features } = (
    JSON.parse(readFileSync(new URL('../../feature_repo/models/models.json', import.meta.url), 'utf8')) as {
      features: string[];
    }[]
  )[0] as { features: string[] };
  expect(features.indexOf('departure__hour')).toBe(26);
  expect(kept.equals(hoursModel(features.length, 26, 12))).toBe(true);
});
