// The live stream: bounded, cheap however many watch, and no reason for a stopping server to wait.

import { afterEach, describe, expect, it } from 'vitest';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { openRaw, type RawSocket, rawHttp, request } from '../support/raw-http.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const STREAM = request('GET', '/v1/monitoring/stream', ['Host: localhost']).replace('Connection: close\r\n', '');

let open: OpenServing;
let gathered = 0;
const start = async (settings: Readonly<Record<string, string>> = {}, live?: () => Promise<unknown>): Promise<void> => {
  gathered = 0;
  const count = async (): Promise<unknown> => {
    gathered++;
    return live === undefined ? { at: gathered } : await live();
  };
  open = await openServing({
    repository: REPOSITORY,
    features: 4,
    settings,
    serve: { stats: (own) => ({ prometheus: () => own.prometheus(), live: count }) },
  });
};
afterEach(() => open.close());

const watch = async (count: number): Promise<RawSocket[]> => {
  const watchers = await Promise.all(Array.from({ length: count }, () => openRaw(open.serving.url)));
  for (const { socket } of watchers) socket.write(STREAM);
  return watchers;
};
const documents = ({ text }: RawSocket): number => text().split('event: stats').length - 1;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('live streams', () => {
  it('share one gathering a second, and each hears at once', async () => {
    await start();
    const watchers = await watch(50);
    for (const one of watchers) await expect.poll(() => documents(one), { timeout: 900 }).toBeGreaterThan(0);
    const before = gathered;
    expect(before).toBeLessThanOrEqual(2);
    await sleep(3000);
    expect(gathered - before).toBeGreaterThanOrEqual(2);
    expect(gathered - before).toBeLessThanOrEqual(4);
    for (const one of watchers) expect(documents(one)).toBeGreaterThanOrEqual(3);
    for (const { socket } of watchers) socket.destroy();
    await sleep(1200);
    const left = gathered;
    await sleep(1500);
    // Nobody watches: nothing is gathered.
    expect(gathered).toBe(left);
  });

  it('are at most server.maxStreams; one that ends makes room', async () => {
    await start({ HEADRACE_SERVER_MAX_STREAMS: '3' });
    const watchers = await watch(3);
    for (const one of watchers) await expect.poll(() => documents(one)).toBeGreaterThan(0);
    const { status, text } = await rawHttp(open.serving.url, [STREAM], { quietMs: 200 });
    expect(status).toBe(429);
    expect(text).toMatch(/retry-after: 1\r\n/i);
    expect(text).toContain('server.maxStreams');
    watchers[0]?.socket.destroy();
    await expect
      .poll(async () => (await rawHttp(open.serving.url, [STREAM], { quietMs: 100 })).status, { timeout: 3000 })
      .toBe(200);
    for (const { socket } of watchers) socket.destroy();
  });

  it('outlive figures that can not be gathered once', async () => {
    let fails = true;
    await start({}, () => (fails ? Promise.reject(new Error('away')) : Promise.resolve({})));
    const [one = expect.fail()] = await watch(1);
    await sleep(1200);
    fails = false;
    await expect.poll(() => documents(one), { timeout: 3000 }).toBeGreaterThan(0);
    one.socket.destroy();
  });
});

describe('a stop', () => {
  it('ends streams at once: of clients that read, and of those that do not', async () => {
    // So large that a client which does not read has no room for it.
    await start({}, () => Promise.resolve({ text: 'x'.repeat(4_000_000) }));
    const readers = await watch(2);
    const deaf = await openRaw(open.serving.url);
    deaf.socket.pause();
    deaf.socket.write(STREAM);
    for (const one of readers) await expect.poll(() => documents(one), { timeout: 3000 }).toBeGreaterThan(0);
    await sleep(1500);
    const startMs = performance.now();
    await open.serving.stop();
    expect(performance.now() - startMs).toBeLessThan(3000);
    for (const { closed } of readers) await closed;
    deaf.socket.destroy();
  });

  it('does not wait for figures that never come', async () => {
    await start({}, () => new Promise(() => {}));
    const [one = expect.fail()] = await watch(1);
    await expect.poll(() => one.text()).toContain('HTTP/1.1 200');
    const startMs = performance.now();
    await open.serving.stop();
    expect(performance.now() - startMs).toBeLessThan(3000);
    await one.closed;
  });
});
