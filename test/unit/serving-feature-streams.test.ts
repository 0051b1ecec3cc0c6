// Streams of flags: each hears at once and of each change once, now and then something else, and none holds a server up.

import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { createFeatureStreams } from '../../src/serving/http/flags/feature-streams.ts';
import type { OpenStreams } from '../../src/serving/http/open-streams.ts';
import { openRaw, type RawSocket, request } from '../support/raw-http.ts';

let app: FastifyInstance;
let url: string;
let streams: OpenStreams;
let document: string;
let isAdmitted: boolean;
let failure: Error | undefined;
let asked: number;

// The streams' ticks are the test's to pass.
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  [document, isAdmitted, failure, asked] = ['one', true, undefined, 0];
  streams = createFeatureStreams({
    documentFor() {
      asked++;
      if (failure !== undefined) throw failure;
      return document;
    },
    maxStreams: 3,
    isStillAdmitted: () => Promise.resolve(isAdmitted),
    logger: silentLogger,
  });
  app = fastify({ forceCloseConnections: 'idle' });
  app.get('/sub', (got, reply) => streams.open(got, reply));
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
const raws: RawSocket[] = [];
afterEach(async () => {
  for (const { socket } of raws.splice(0)) socket.destroy();
  streams.endAll();
  await app.close();
  vi.useRealTimers();
});

const watch = async (): Promise<RawSocket> => {
  const raw = await openRaw(url);
  raws.push(raw);
  raw.socket.write(request('GET', '/sub', ['Host: localhost']).replace('Connection: close\r\n', ''));
  return raw;
};
const hears = (raw: RawSocket, ...flags: readonly string[]) =>
  expect.poll(() => [...raw.text().matchAll(/^data: (.*)$/gm)].map(([, data]) => data)).toEqual(flags);
/** One that has heard the first flags. */
const watching = async (): Promise<RawSocket> => {
  const one = await watch();
  await hears(one, 'one');
  return one;
};
const pass = (ms: number): void => void vi.advanceTimersByTime(ms);

it('tell the flags at once, and each change once', async () => {
  const one = await watching();
  pass(1000);
  document = 'two';
  pass(250);
  await hears(one, 'one', 'two');
  pass(2000);
  const other = await watch();
  await hears(other, 'two');
  await hears(one, 'one', 'two');
});

it('say something every 15 s where nothing changes', async () => {
  const one = await watching();
  pass(14_000);
  expect(one.text()).not.toContain(': still here');
  pass(1000);
  await expect.poll(() => one.text()).toContain(': still here\n\n');
});

it('go on after flags could not be had, and are refused where they can’t', async () => {
  const one = await watching();
  failure = new Error('away');
  pass(500);
  const refused = await watch();
  await expect.poll(() => refused.text()).toContain('HTTP/1.1 500');
  [failure, document] = [undefined, 'two'];
  pass(250);
  await hears(one, 'one', 'two');
});

it('end within a second when who asked is no longer let in', async () => {
  const one = await watching();
  isAdmitted = false;
  pass(1000);
  await expect.poll(() => one.text().endsWith('\r\n0\r\n\r\n')).toBe(true);
});

it('are dropped when their client has read nothing for half a minute', async () => {
  // So large that a client which does not read has no room for it.
  document = 'x'.repeat(16_000_000);
  const deaf = await watch();
  deaf.socket.pause();
  const open = (): Promise<number> => new Promise((done) => app.server.getConnections((_, count) => done(count)));
  // Once before there is a stream, and once for it.
  await expect.poll(() => asked).toBe(2);
  pass(29_000);
  expect(await open()).toBe(1);
  pass(2000);
  await expect.poll(open).toBe(0);
  deaf.socket.destroy();
});
