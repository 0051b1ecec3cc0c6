// The live stream: bounded, cheap however many watch, and no reason for a stopping server to wait.

import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { createEventStreams } from '../../src/serving/http/event-stream.ts';
import { sendProblem } from '../../src/serving/http/problem.ts';
import { createRequestLog } from '../../src/serving/http/request-log.ts';
import { openRaw, type RawSocket, rawHttp, request } from '../support/raw-http.ts';

const STREAM = request('GET', '/stream', ['Host: localhost']).replace('Connection: close\r\n', '');

let app: FastifyInstance;
let url: string;
let [gathered, opened] = [0, 0];
let alerts: { key: string; isOld: boolean; data: unknown }[] = [];
async function start(
  live: () => Promise<unknown> = async () => ({}),
  maxStreams = 100,
  identify?: () => Promise<void>,
): Promise<void> {
  [gathered, opened, alerts] = [0, 0, []];
  const streams = createEventStreams({
    stats: { live: () => (gathered++, live()) },
    alerts: { recent: async () => alerts },
    maxStreams,
    isStillAdmitted: async () => true,
    logger: silentLogger,
  });
  app = fastify({ forceCloseConnections: 'idle' });
  const log = createRequestLog(silentLogger, 'errors', () => {});
  app.setErrorHandler((error, asked, reply) => sendProblem(reply, asked, error, log));
  if (identify !== undefined) app.addHook('onRequest', identify);
  app.get('/stream', (asked, reply) => (opened++, streams.open(asked, reply)));
  app.addHook('preClose', (done) => {
    streams.endAll();
    done();
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
}
// The streams' second is the test's to pass.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
const passSecond = (): void => void vi.advanceTimersByTime(1000);
const raws: RawSocket[] = [];
afterEach(async () => {
  for (const { socket } of raws.splice(0)) socket.destroy();
  await app.close();
  vi.useRealTimers();
});

const watch = async (count: number): Promise<RawSocket[]> => {
  const watchers = await Promise.all(Array.from({ length: count }, () => openRaw(url)));
  for (const { socket } of watchers) socket.write(STREAM);
  raws.push(...watchers);
  return watchers;
};
const watchOne = async (): Promise<RawSocket> => (await watch(1))[0] ?? expect.fail();
const leave = (watchers: readonly RawSocket[]): void => {
  for (const { socket } of watchers) socket.destroy();
};
/** Once each has heard so often. */
async function heard(count: number, ...watchers: readonly RawSocket[]): Promise<void> {
  for (const { text } of watchers) await expect.poll(() => text().split('event: stats').length - 1).toBe(count);
}

describe('live streams', () => {
  it('share one gathering a second, and each hears at once', async () => {
    await start();
    const watchers = await watch(50);
    await heard(1, ...watchers);
    const before = gathered;
    expect(before).toBeLessThanOrEqual(2);
    for (let second = 1; second <= 3; second++) {
      passSecond();
      await heard(1 + second, ...watchers);
      expect(gathered).toBe(before + second);
    }
    leave(watchers);
    // Nobody watches: nothing is gathered.
    await expect.poll(() => vi.getTimerCount()).toBe(0);
  });

  it('tell each alert once: those that are open to who comes, and then what changes', async () => {
    await start();
    alerts = [
      { key: 'a open', isOld: false, data: { n: 1 } },
      { key: 'b closed', isOld: true, data: { n: 2 } },
    ];
    const one = await watchOne();
    const told = (): string[] => [...one.text().matchAll(/event: alert\ndata: (.*)\n/g)].map(([, data]) => data ?? '');
    await heard(1, one);
    passSecond();
    await expect.poll(told).toEqual(['{"n":1}']);
    alerts = [{ key: 'a closed', isOld: true, data: { n: 3 } }, ...alerts.slice(1)];
    for (let second = 0; second < 4; second++) {
      passSecond();
      await heard(3 + second, one);
    }
    await expect.poll(told).toEqual(['{"n":1}', '{"n":3}']);
  });

  it('are at most server.maxStreams; one that ends makes room', async () => {
    await start(undefined, 3);
    const watchers = await watch(3);
    await heard(1, ...watchers);
    const { status, text } = await rawHttp(url, [STREAM], { quietMs: 200 });
    expect(status).toBe(429);
    expect(text).toMatch(/retry-after: 1\r\n/i);
    expect(text).toContain('server.maxStreams');
    watchers[0]?.socket.destroy();
    await expect.poll(async () => (await rawHttp(url, [STREAM], { quietMs: 100 })).status).toBe(200);
  });

  it('keep no place for who left while it was looked at who asks', async () => {
    let isAsked = Promise.resolve();
    let asked = 0;
    await start(undefined, 3, () => (asked++, isAsked));
    const { promise, resolve: goOn } = Promise.withResolvers<void>();
    isAsked = promise;
    const gone = await watch(30);
    await expect.poll(() => asked).toBe(30);
    leave(gone);
    await expect.poll(() => new Promise((done) => app.server.getConnections((_, count) => done(count)))).toBe(0);
    goOn();
    isAsked = Promise.resolve();
    await expect.poll(() => opened).toBe(30);
    for (const { text } of await watch(3)) await expect.poll(text).toContain('HTTP/1.1 200');
  });

  it('outlive figures that can not be gathered once', async () => {
    let fails = true;
    await start(() => (fails ? Promise.reject(new Error('away')) : Promise.resolve({})));
    const one = await watchOne();
    await expect.poll(() => gathered).toBe(1);
    fails = false;
    passSecond();
    await heard(1, one);
  });
});

describe('a stop', () => {
  it('ends streams at once: of clients that read, and of those that do not', async () => {
    // So large that a client which does not read has no room for it.
    await start(async () => ({ text: 'x'.repeat(4_000_000) }));
    const readers = await watch(2);
    const deaf = await openRaw(url);
    deaf.socket.pause();
    deaf.socket.write(STREAM);
    await heard(1, ...readers);
    passSecond();
    await heard(2, ...readers);
    await app.close();
    for (const { closed } of readers) await closed;
    deaf.socket.destroy();
  });

  it('does not wait for figures that never come', async () => {
    await start(() => new Promise(() => {}));
    const one = await watchOne();
    await expect.poll(one.text).toContain('HTTP/1.1 200');
    await app.close();
    await one.closed;
  });
});
