// The example's pipeline `network_delay` from end to end, with PyTorch as it comes from the package index: gigabytes.

import { mkdirSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type FlightsSample, openFlightsSample } from '../support/flights-sample.ts';
import { skipBecause } from '../support/skips.ts';

let sample: FlightsSample | undefined;
afterAll(async () => {
  await sample?.close();
});

it('fits a network, hands it over as ONNX, and registers it only where it beats the champion', async (context) => {
  const opened = await openFlightsSample(20_000);
  sample = opened;
  // The environment is built by the step itself, once a machine.
  const kept = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headrace', 'network-environments');
  mkdirSync(kept, { recursive: true });
  mkdirSync(join(opened.directory, '.headrace'), { recursive: true });
  symlinkSync(kept, join(opened.directory, '.headrace', 'environments'));
  let first: Awaited<ReturnType<FlightsSample['run']>>;
  try {
    first = await opened.run('network_delay');
  } catch (error) {
    if (!/could not install/.test(String(error))) throw error;
    skipBecause(`the example's pipeline network_delay: PyTorch does not install here: ${String(error).slice(0, 300)}`);
    return context.skip();
  }
  const fit = first['fit']?.result as { metrics: { log_loss: number }; files: object; parameters: number };
  expect(Object.keys(fit.files).toSorted()).toEqual(['card.md', 'model.onnx']);
  expect(fit.metrics.log_loss).toBeLessThan(0.69);
  const figures = first['figures']?.result as { metrics: { auc: number } };
  expect(figures.metrics.auc).toBeGreaterThan(0.55);
  expect(first['register']?.result).toMatchObject({ version: 1, metrics: { auc: figures.metrics.auc } });

  const { models } = await opened.app.registry();
  await models.setAlias('delay_classifier', 'champion', 1, 'test');
  const second = await opened.run('network_delay');
  // The same rows and seed: the same network, which is no better than itself.
  expect(second['figures']?.result).toMatchObject({ better: false, against: { version: 1 } });
  expect(second['register']?.state).toBe('skipped');
});
