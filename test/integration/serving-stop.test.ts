// A stop in which one of the server's parts does not end: what must not be lost waits for none of them. And the answers of what
// runs when it is told to.

import { describe, expect, it } from 'vitest';
import type { Logger } from '../../src/core/index.ts';
import { predictionLogStatus } from '../../src/monitoring/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { openRaw, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const inputs = [{ customer: 'ada', amount: 30 }];

/** With a prediction that is answered, and planes that end as `close` says. */
async function openWith(close: (own: () => Promise<void>) => Promise<void>, told: string[]): Promise<OpenServing> {
  const tell = (_: object, message: string): void => void told.push(message);
  const logger: Logger = { debug: () => {}, info: () => {}, warn: tell, error: tell };
  const open = await openServing({ repository: REPOSITORY, features: 4, logger });
  const { planes } = open.serving;
  const own = planes.close.bind(planes);
  Object.assign(planes, { close: () => close(own) });
  expect((await open.post('/v1/endpoints/checkout/predict', { inputs })).statusCode).toBe(200);
  return open;
}

const segments = async ({ app }: OpenServing): Promise<unknown> => {
  const { open, ended, predictions } = await predictionLogStatus(app.config.values['predictionLog.path']);
  return { open: open.files, kept: ended.files + predictions.files };
};

it('the prediction log is closed at once while another part hangs, and the stop ends', async () => {
  const told: string[] = [];
  let letGo = (): void => {};
  const hanging = new Promise<void>((resolve) => (letGo = resolve));
  const open = await openWith((own) => hanging.then(own), told);
  await expect.poll(() => segments(open)).toEqual({ open: 1, kept: 0 });
  const stopped = open.serving.stop();
  await expect.poll(() => segments(open)).toEqual({ open: 0, kept: 1 });
  await stopped;
  expect(told.filter((message) => message.includes('in time'))).toEqual([
    'ingestion did not close in time; the server stops without',
  ]);
  letGo();
  await open.close();
});

describe('a prediction that began before the stop', () => {
  const QUICK = '/v1/endpoints/checkout/predict';
  const body = JSON.stringify({ inputs });
  const keptAlive = (path: string, sent = body): string =>
    request('POST', path, ['Host: localhost'], sent).replace('Connection: close\r\n', '');
  const answers = (text: string): string[] => text.toLowerCase().split(/(?=http\/1\.1 \d{3})/);

  /** Predictions wait until they are let go of, at which time the server is stopping. */
  async function stopBehind(sent: string, count: number): Promise<string> {
    const open = await openServing({ repository: REPOSITORY, features: 4 });
    const { data } = open.serving.planes;
    const predict = data.predict.bind(data);
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let waiting = 0;
    Object.assign(data, {
      predict: async (...given: Parameters<typeof predict>) => {
        waiting++;
        await held;
        return predict(...given);
      },
    });
    const raw = await openRaw(open.serving.url);
    raw.socket.write(sent);
    await expect.poll(() => waiting).toBe(count);
    const stopped = open.serving.stop();
    await expect.poll(() => open.serving.server.server.listening).toBe(false);
    letGo();
    await raw.closed;
    await stopped;
    raw.socket.destroy();
    await open.close();
    return raw.text();
  }

  it.each([
    ['over the socket', QUICK],
    ['by the route', `${QUICK}?route`],
  ])('is answered, and told that its connection ends: %s', async (_what, path) => {
    for (const [sent, status] of [
      [body, 200],
      [JSON.stringify({ inputs: [{ customer: 7 }] }), 400],
    ] as const) {
      const [answer = '', ...more] = answers(await stopBehind(keptAlive(path, sent), 1));
      expect(more).toEqual([]);
      expect(answer).toContain(`http/1.1 ${status}`);
      expect(answer).toContain('connection: close');
    }
  });

  it.each([
    ['over the socket', QUICK],
    ['by the route', `${QUICK}?route`],
  ])('keeps the connection for those that wait behind it: %s', async (_what, path) => {
    const [first = '', second = '', ...more] = answers(await stopBehind(keptAlive(path) + keptAlive(path), 2));
    expect(more).toEqual([]);
    for (const answer of [first, second]) expect(answer).toContain('http/1.1 200');
    expect(first).not.toContain('connection: close');
    expect(second).toContain('connection: close');
  });
});
