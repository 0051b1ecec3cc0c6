// What bounds flags' routes: open streams, requests a second, a server that stops.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FlagServer, openFlagServer } from '../support/flag-servers.ts';

let open: FlagServer;
let url: string;
beforeAll(async () => {
  open = await openFlagServer({ settings: { HEADRACE_SERVER_MAX_STREAMS: '1', HEADRACE_SERVER_RATE_LIMIT: '20' } });
  url = open.url;
}, 60_000);
afterAll(() => open.close());

it('refuses a stream past server.maxStreams until another ends', async () => {
  const first = await fetch(`${url}/sub/shop`);
  const second = await fetch(`${url}/sub/shop`);
  expect(second.status).toBe(429);
  expect(second.headers.get('retry-after')).toBe('1');
  expect(await second.json()).toMatchObject({ status: 429, error: expect.stringContaining('server.maxStreams') });
  await first.body?.cancel();
  await expect.poll(async () => (await fetch(`${url}/sub/shop`)).status).toBe(200);
});

it('tells who asks too often so by OFREP, with Retry-After', async () => {
  const ask = () =>
    fetch(`${url}/ofrep/v1/evaluate/flags/checkout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"context":{"targetingKey":"ada"}}',
    });
  const answers = await Promise.all(Array.from({ length: 40 }, ask));
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.headers.get('retry-after')).toBe('1');
  expect(await refused?.json()).toMatchObject({ key: 'checkout', errorCode: 'GENERAL' });
});

it('ends streams when it stops', async () => {
  const stops = open.serving.stop();
  await expect(Promise.race([stops.then(() => 'stopped'), waitMs(5000)])).resolves.toBe('stopped');
});

const waitMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
