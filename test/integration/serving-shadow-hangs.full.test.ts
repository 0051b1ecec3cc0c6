// A shadow whose model does not come back from a row. A file of its own, since threads that were given up compute on, until the
// process ends.
// twin: test/unit/serving-shadow-runner.test.ts > a run past its deadline is not waited for

import { expect, it } from 'vitest';
import { registerModelFile } from '../../src/app/index.ts';
import { ONE_NUMBER } from '../support/one-number.ts';
import { linearModel, patientModel } from '../support/onnx-model.ts';
import { openForTest } from '../support/open-for.ts';

it('has failed a row over which its thread falls silent, and does so again: that is told before the row is late', async () => {
  const on = await openForTest({ repository: ONE_NUMBER, features: 1, onnx: linearModel(1) });
  await registerModelFile(on.app, { model: 'returns', onnx: Buffer.from(patientModel()) });
  const { server } = on.serving;
  const payload = { variants: [{ name: 'stable', version: 1, weight: 100 }], shadows: [{ version: 2, percent: 100 }] };
  expect((await server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload })).statusCode).toBe(200);
  // Some 2 µs a round: the thread is busy for half a minute, and can't be ended before.
  expect((await on.post('/v1/endpoints/checkout/predict', { inputs: [{ x: 1e7 }] })).statusCode).toBe(200);
  const shadows = [{ pairs: 0, errors: 1, error_codes: { HR_INFERENCE_FAILED: 1 }, dropped: {} }];
  const told = async () => (await server.inject('/v1/endpoints/checkout/shadows')).json() as object;
  await expect.poll(told, { timeout: 12_000 }).toMatchObject({ shadows });
}, 30_000);
