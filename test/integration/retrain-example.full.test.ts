// The example's pipeline `retrain_delay` from end to end, on a sample of its flights: a grid, an evaluation, a gate, a champion.
// twin: test/integration/evaluate-step.test.ts > gives the figures of an ONNX file on the rows, by slices, against the version under an alias

import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { EXAMPLE, type FlightsSample, openFlightsSample } from '../support/flights-sample.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';

const requirements = join(EXAMPLE, 'requirements.txt');
const packages = bringPackages('example-training', ['-r', requirements]);
if (typeof packages === 'string') skipBecause(`the example's pipeline retrain_delay: ${packages}`);

let sample: FlightsSample | undefined;
afterAll(async () => {
  await sample?.close();
});

const DEPARTURES = 20_000;

it.skipIf(typeof packages === 'string')(
  'registers what beats the champion, crowns it, and leaves it be when nothing does',
  async () => {
    const opened = await openFlightsSample(DEPARTURES);
    sample = opened;
    const run = () => opened.run('retrain_delay');
    const first = await run();
    expect(first['fits']?.result).toHaveLength(4);
    const rows = first['newest']?.result['rows'];
    expect(rows).toBeGreaterThanOrEqual(DEPARTURES / 5);
    expect(Number(first['past']?.result['rows']) + Number(rows)).toBe(DEPARTURES);
    expect(first['figures']?.result).toMatchObject({ task: 'binary', rows, better: true, against: null });
    const metrics = first['figures']?.result['metrics'] as { auc: number; log_loss: number };
    expect(metrics.auc).toBeGreaterThan(0.6);
    expect(first['register']?.result).toMatchObject({ version: 1, metrics: { auc: metrics.auc } });
    expect(first['crown']?.result).toMatchObject({ alias: 'champion', version: 1, previous: null });

    const second = await run();
    // The same rows and seed: the same model, which is no better than itself.
    expect(second['figures']?.result).toMatchObject({
      better: false,
      against: { version: 1, differences: { auc: 0 } },
    });
    expect(second['register']?.state).toBe('skipped');
    const { models } = await opened.app.registry();
    expect((await models.list()).find(({ name }) => name === 'delay_classifier')?.aliases).toEqual({ champion: 1 });
    const [version] = await models.versions('delay_classifier');
    expect(version?.trainingSet).toBe(first['past']?.result['id']);
  },
  600_000,
);
