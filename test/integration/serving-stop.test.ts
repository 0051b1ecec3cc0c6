// A stop in which one of the server's parts does not end: what must not be lost waits for none of them. And the answers of what
// runs when it is told to.

import { describe, expect, it } from 'vitest';
import { predictionLogStatus } from '../../src/monitoring/index.ts';
import { openForTest, recordLog } from '../support/open-for.ts';
import { openRaw, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const inputs = [{ customer: 'ada', amount: 30 }];
const GIVEN = { repository: REPOSITORY, features: 4 };

it('the prediction log is closed at once while another part hangs, and the stop ends', async () => {
  const { logger, of } = recordLog();
  const { app, post, serving } = await openForTest({ ...GIVEN, logger });
  const { promise: hanging, resolve: letGo } = Promise.withResolvers<void>();
  const close = serving.planes.close.bind(serving.planes);
  Object.assign(serving.planes, { close: () => hanging.then(close) });
  expect((await post('/v1/endpoints/checkout/predict', { inputs })).statusCode).toBe(200);
  const segments = async (): Promise<unknown> => {
    const { open, ended, predictions } = await predictionLogStatus(app.config.values['predictionLog.path']);
    return { open: open.files, kept: ended.files + predictions.files };
  };
  await expect.poll(segments).toEqual({ open: 1, kept: 0 });
  const stopped = serving.stop();
  await expect.poll(segments).toEqual({ open: 0, kept: 1 });
  await stopped;
  expect(of('in time').map(({ msg }) => msg)).toEqual(['ingestion did not close in time; the server stops without']);
  letGo();
});

describe('a prediction that began before the stop', () => {
  const QUICK = '/v1/endpoints/checkout/predict';
  const body = JSON.stringify({ inputs });
  const keptAlive = (path: string, sent = body): string =>
    request('POST', path, ['Host: localhost'], sent).replace('Connection: close\r\n', '');

  /** Predictions wait until they are let go of, at which time the server is stopping. Gives the answers. */
  async function stopBehind(sent: string, count: number): Promise<string[]> {
    const { serving } = await openForTest(GIVEN);
    const { data } = serving.planes;
    const predict = data.predict.bind(data);
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    let waiting = 0;
    Object.assign(data, {
      predict: async (...given: Parameters<typeof predict>) => {
        waiting++;
        await held;
        return predict(...given);
      },
    });
    const raw = await openRaw(serving.url);
    raw.socket.write(sent);
    await expect.poll(() => waiting).toBe(count);
    const stopped = serving.stop();
    await expect.poll(() => serving.server.server.listening).toBe(false);
    letGo();
    await raw.closed;
    await stopped;
    raw.socket.destroy();
    const answers = raw
      .text()
      .toLowerCase()
      .split(/(?=http\/1\.1 \d{3})/);
    expect(answers).toHaveLength(count);
    return answers;
  }

  describe.each([
    ['over the socket', QUICK],
    ['by the route', `${QUICK}?route`],
  ])('%s', (_what, path) => {
    it.each([
      [body, 200],
      [JSON.stringify({ inputs: [{ customer: 7 }] }), 400],
    ])('is answered, and told that its connection ends: %s', async (sent, status) => {
      const [answer] = await stopBehind(keptAlive(path, sent), 1);
      expect(answer).toContain(`http/1.1 ${status}`);
      expect(answer).toContain('connection: close');
    });

    it('keeps the connection for those that wait behind it', async () => {
      const [first, second] = await stopBehind(keptAlive(path) + keptAlive(path), 2);
      for (const answer of [first, second]) expect(answer).toContain('http/1.1 200');
      expect(first).not.toContain('connection: close');
      expect(second).toContain('connection: close');
    });
  });
});
