// The guide on finding a prediction again, typed from top to bottom beside a server that has predicted.
// twin: test/integration/monitoring-find.test.ts > is found by its id in segments, in Parquet of any hour, and in what earlier builds wrote

import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';

const guide = serveGuide('find-a-prediction.md');

it('shows what its commands print', async () => {
  const inputs = ['ada', 'bob', 'nobody'].map((customer) => ({ customer, amount: 7.5 }));
  const response = await fetch(`${guide.environment()['HEADRACE_URL']}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs }),
  });
  expect(response.status).toBe(200);
  expect(guide.type()).toBe(3);
});
