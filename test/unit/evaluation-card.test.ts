// The page of an evaluation: its plots are drawn whatever the values are.

import { expect, it } from 'vitest';
import { evaluationCard } from '../../src/app/steps/evaluation-card.ts';

it('a plot of rows that are all alike has their value in its middle', () => {
  const three = Float64Array.of(3, 3);
  const page = evaluationCard({
    model: 'fares',
    name: 'version 2',
    label: 'amount',
    rows: 'rows.parquet',
    alias: null,
    against: null,
    primary: 'rmse',
    better: true,
    figures: { task: 'regression', rows: 2, metrics: { rmse: 0 }, slices: {} },
    scored: { labels: three, scores: [three], unlabelled: 0 },
  });
  const told = page.slice(page.indexOf('told-t'), page.indexOf('errors-t'));
  expect(told).toContain('d="M332.0 145.0');
  expect(page).not.toMatch(/NaN|Infinity/);
});
