// The port on which a command that goes on gives its metrics.

import { expect, it, onTestFinished } from 'vitest';
import { listenForScrapes } from '../../src/control/metrics-port.ts';

it.each([
  ['/metrics', 200, 'rows_total 3\n'],
  ['/metrics?name=rows_total', 200, 'rows_total 3\n'],
  ['/', 404, ''],
  ['/other?path=/metrics', 404, ''],
])('%s is answered %i', async (path, status, body) => {
  const port = await listenForScrapes(0, () => Promise.resolve('rows_total 3\n'));
  onTestFinished(() => port.close());
  const answer = await fetch(new URL(path, port.url));
  expect([answer.status, await answer.text()]).toEqual([status, body]);
});
