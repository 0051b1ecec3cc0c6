// The example's pipeline `notebook_delay` from end to end: the notebook as papermill runs it, kept and as a page; a gate.

import { afterAll, expect, it } from 'vitest';
import { getBlob } from '../../src/storage/index.ts';
import { type FlightsSample, openFlightsSample } from '../support/flights-sample.ts';

let sample: FlightsSample | undefined;
afterAll(async () => {
  await sample?.close();
});

it('fits a model, keeps the notebook as it ran and as a page, and registers what beats the champion', async () => {
  sample = await openFlightsSample(10_000);
  const steps = await sample.run('notebook_delay');
  const fit = steps['fit']?.result as { metrics: { auc: number }; files: Record<string, { sha256: string }> };
  expect(fit).toMatchObject({ leaves: 31, rows: expect.any(Number) });
  expect(fit.metrics.auc).toBeGreaterThan(0.55);
  expect(Object.keys(fit.files).toSorted()).toEqual([
    'fit_delay.html',
    'fit_delay.ipynb',
    'late-by-hour.html',
    'model.onnx',
  ]);
  const objects = await sample.app.objects();
  const text = async (name: string) => Buffer.from(await getBlob(objects, fit.files[name]?.sha256 ?? '')).toString();
  expect(await text('late-by-hour.html')).toMatch(/^<svg/);
  expect(await text('fit_delay.html')).toContain(`AUC ${fit.metrics.auc.toFixed(4)}`);
  expect(JSON.parse(await text('fit_delay.ipynb'))).toMatchObject({ nbformat: 4 });
  expect(steps['figures']?.result).toMatchObject({ task: 'binary', better: true, against: null });
  expect(steps['register']?.result).toMatchObject({ model: 'delay_classifier', version: 1 });
}, 900_000);
