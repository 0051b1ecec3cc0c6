// What a window shows beside its PSI, by the published figures.

import { expect, it } from 'vitest';
import { shownDistances } from '../../src/monitoring/drift/evaluate.ts';
import type { FeatureReference } from '../../src/monitoring/drift/reference.ts';

const reference: FeatureReference = {
  name: 'city',
  kind: 'category',
  isWindow: false,
  edges: [],
  groups: [0, 1, 2, 3, 4, 5],
  categories: ['a', 'b', 'c', 'd', 'e'],
  known: null,
  range: null,
  counts: [16, 18, 16, 14, 12, 12, 0],
  days: [],
};

it('χ² is that of the window against the shares of the training data, as published', () => {
  const none = { absent: 0, invalid: 0, missing: 0, nulls: 0, empty: 0, fresh: [] };
  const shown = shownDistances(reference, { bins: [16, 16, 16, 16, 16, 8], rows: 88, ...none });
  expect(shown?.chi2P).toBeCloseTo(0.67309, 5);
  // The divergence's root: .0680481962 is the published one.
  expect(shown?.js).toBeCloseTo(0.0680481962, 9);
});
