// The primary of several workers, with workers that say and do what the test tells them to, and a clock of its own.

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WorkerEvents } from '../../src/app/fork-worker.ts';
import { primaryChannel } from '../../src/app/primary-channel.ts';
import type { RunningServer } from '../../src/app/running-server.ts';
import { superviseWorkers } from '../../src/app/supervise-workers.ts';
import type { ToWorker, WorkerStart } from '../../src/app/worker-messages.ts';
import { type Logger, systemClock } from '../../src/core/index.ts';

interface Started {
  readonly start: WorkerStart;
  readonly events: WorkerEvents;
  readonly told: string[];
  isKilled: boolean;
  /** Its process ends. */
  die(signal?: string): void;
}

const LIMITS = { silenceMs: 30_000, unreadyMs: 60_000 };
let workers: Started[];
let log: string[];
let ended: string[];
/** Of the next workers: whether there is no process to be had. */
let isLacking: boolean;
/** Whether a worker takes connections as soon as it is told to; else the test says it. */
let isProper: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  [workers, log, ended, isLacking, isProper] = [[], [], [], false, true];
});
afterEach(() => {
  vi.useRealTimers();
});

const tell = (fields: object, message: string): void => void log.push(`${message} ${JSON.stringify(fields)}`);
const logger: Logger = { debug: tell, info: tell, warn: tell, error: tell };

function supervise(count = 2): Promise<RunningServer> {
  return superviseWorkers({
    workers: count,
    start: { config: '', host: '127.0.0.1', port: 8080, isInsecure: false },
    onEnd: (id) => Promise.resolve(void ended.push(id)),
    drain: { delayMs: 0, timeoutMs: 1000 },
    limits: LIMITS,
    clock: systemClock,
    telemetry: undefined,
    logger,
    fork(start, events) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const pid = isLacking ? undefined : 100 + workers.length;
      const started: Started = {
        start,
        events,
        told: [],
        isKilled: false,
        die(signal = 'SIGKILL') {
          events.left();
          events.ended({ code: null, signal });
          resolve();
        },
      };
      workers.push(started);
      if (isLacking)
        queueMicrotask(() => {
          events.missing('spawn ENOENT');
          resolve();
        });
      else if (isProper) queueMicrotask(() => events.received({ kind: 'up', isReady: true }));
      return {
        id: workers.length,
        pid,
        ended: promise,
        send({ kind }: ToWorker) {
          started.told.push(kind);
          if (kind === 'listen') events.received({ kind: 'listening', url: 'http://127.0.0.1:8080' });
          if (kind === 'stop') started.die('SIGTERM');
        },
        kill() {
          started.isKilled = true;
          started.die();
        },
      };
    },
  });
}

const worker = (at: number): Started => workers[at] ?? expect.fail(`worker ${at} was not started`);
const reportsOf = (one: Started, sequence: number): void =>
  one.events.received({ kind: 'collected', gathering: -sequence });

describe('several workers', () => {
  it('all listen at the first start, and one of them compacts', async () => {
    expect(await supervise(3)).toMatchObject({ url: 'http://127.0.0.1:8080', workers: 3 });
    expect(workers.map(({ told }) => told)).toEqual([['listen'], ['listen'], ['listen']]);
    expect(workers.map(({ start }) => start.compacts)).toEqual([true, false, false]);
    expect(new Set(workers.map(({ start }) => start.serverId)).size).toBe(3);
  });

  it('do not start where one cannot, which is thrown as the worker said it', async () => {
    isProper = false;
    const starting = supervise();
    worker(1).events.received({ kind: 'failed', code: 'HR_NOTHING_APPLIED', message: 'nothing is applied yet' });
    await expect(starting).rejects.toMatchObject({ code: 'HR_NOTHING_APPLIED', message: 'nothing is applied yet' });
    // The other one is told to hurry, and to stop.
    expect(worker(0).told).toContain('stop');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(workers).toHaveLength(2);
  });

  it.each([
    ['says a code that is none', 'NO_SUCH_CODE', 'HR_INTERNAL'],
    ['says a code', 'HR_CONFIG', 'HR_CONFIG'],
  ])('that fails and %s is told with one of ours', async (_what, code, expected) => {
    isProper = false;
    const starting = supervise(1);
    worker(0).events.received({ kind: 'failed', code, message: 'said' });
    worker(0).die();
    await expect(starting).rejects.toMatchObject({ code: expected });
  });

  it('end all when the server stops, and none is started again', async () => {
    const server = await supervise();
    await server.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(workers.map(({ told }) => told)).toEqual([
      ['listen', 'stop'],
      ['listen', 'stop'],
    ]);
  });
});

describe('a worker that dies', () => {
  it('is told to the registry, and another is started in its place with the same task', async () => {
    await supervise();
    worker(0).die();
    expect(ended).toEqual([worker(0).start.serverId]);
    await vi.advanceTimersByTimeAsync(199);
    expect(workers).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(worker(2)).toMatchObject({ start: { compacts: true, port: 8080 }, told: ['listen'] });
    expect(worker(2).start.serverId).not.toBe(worker(0).start.serverId);
    expect(log).toEqual([expect.stringMatching(/^a worker crashed and is started again .*"signal":"SIGKILL"/)]);
  });

  it('again and again is started ever later, up to ten seconds; one that lived long at once', async () => {
    await supervise(1);
    const pauses: number[] = [];
    for (let death = 0; death < 8; death++) {
      const before = workers.length;
      await vi.advanceTimersByTimeAsync(1);
      worker(before - 1).die();
      const diedMs = performance.now();
      while (workers.length === before) await vi.advanceTimersToNextTimerAsync();
      pauses.push(Math.round(performance.now() - diedMs));
    }
    expect(pauses).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    for (let second = 0; second <= 11; second++) {
      reportsOf(worker(8), second);
      await vi.advanceTimersByTimeAsync(1000);
    }
    worker(8).die();
    await vi.advanceTimersByTimeAsync(100);
    expect(workers).toHaveLength(10);
  });

  it('while the server stops is not started again', async () => {
    const server = await supervise();
    worker(1).die();
    await server.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(workers).toHaveLength(2);
  });

  it('before the server hears of it breaks nothing: what is written to it is lost', async () => {
    await supervise();
    worker(1).events.missing('write EPIPE');
    expect(log).toEqual([expect.stringContaining('a worker is not there')]);
    worker(1).die();
    await vi.advanceTimersByTimeAsync(200);
    expect(workers).toHaveLength(3);
  });

  it('is not waited for by what it said last, which is read after its end', async () => {
    await supervise();
    const [one, other] = [worker(0), worker(1)];
    one.die();
    reportsOf(one, 1);
    one.events.received({ kind: 'listening', url: 'http://127.0.0.1:8080' });
    expect(other.events.hasOthers()).toBe(false);
    for (let second = 0; second < 40; second++) {
      for (const alive of workers.slice(1)) reportsOf(alive, second);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(log).toHaveLength(1);
  });

  it('has nobody to take its connections when all have died', async () => {
    await supervise();
    const [one, other] = [worker(0), worker(1)];
    expect([one.events.hasOthers(), other.events.hasOthers()]).toEqual([true, true]);
    one.die();
    expect(other.events.hasOthers()).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(other.events.hasOthers()).toBe(true);
  });

  it('is tried again while there is no process to be had', async () => {
    await supervise();
    isLacking = true;
    worker(0).die();
    await vi.advanceTimersByTimeAsync(200 + 400 + 800);
    expect(workers.length).toBeGreaterThanOrEqual(4);
    expect(log.join('\n')).toContain(
      'a worker could not start {"reason":"HeadraceError: a worker could not be started',
    );
    isLacking = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(workers.at(-1)?.told).toEqual(['listen']);
    expect(workers.filter(({ told }) => told.includes('listen'))).toHaveLength(3);
  });
});

describe('a worker that is silent', () => {
  it('is killed after the limit and replaced; one that reports is left alone', async () => {
    await supervise();
    for (let second = 0; second < 34; second++) {
      reportsOf(worker(0), second);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(workers.slice(0, 2).map(({ isKilled }) => isKilled)).toEqual([false, true]);
    expect(log[0]).toMatch(/^a worker told nothing for too long and is killed \{"pid":101,"silentMs":3\d{4}\}/);
    expect(workers).toHaveLength(3);
  });

  it('is not told of while the server stops', async () => {
    const server = await supervise();
    const stopping = server.stop();
    await vi.advanceTimersByTimeAsync(120_000);
    await stopping;
    expect(log).toEqual([]);
  });
});

describe('a worker in place of another', () => {
  it('does not listen before it is ready, as long as another is', async () => {
    await supervise();
    isProper = false;
    worker(0).die();
    await vi.advanceTimersByTimeAsync(200);
    worker(2).events.received({ kind: 'up', isReady: false });
    await vi.advanceTimersByTimeAsync(10);
    expect(worker(2).told).toEqual([]);
    worker(1).die();
    expect(worker(2).told).toEqual(['listen']);
  });
});

describe('a worker’s channel to its primary', () => {
  function parent() {
    const sent: { readonly kind: string; readonly ask?: number }[] = [];
    const send = (message: { readonly kind: string }): boolean => sent.push(message) > 0;
    return { sent, channel: Object.assign(new EventEmitter(), { connected: true, send }) };
  }

  it('gives each who asks the totals of that question', async () => {
    const { sent, channel } = parent();
    const { ask } = primaryChannel(channel as never);
    const [one, other] = [ask({ gathers: true }), ask({ gathers: false })];
    expect(sent).toEqual([
      { kind: 'ask', ask: 1, gathers: true },
      { kind: 'ask', ask: 2, gathers: false },
    ]);
    channel.emit('message', { kind: 'totals', ask: 2, totals: 'second' });
    channel.emit('message', { kind: 'totals', ask: 1, totals: 'first' });
    expect(await Promise.all([one, other])).toEqual(['first', 'second']);
  });

  it('ends what waits when the primary has gone, and asks nobody then', async () => {
    const { sent, channel } = parent();
    const { ask, send } = primaryChannel(channel as never);
    const waiting = ask({ gathers: true });
    channel.connected = false;
    channel.emit('disconnect');
    expect(await waiting).toBeUndefined();
    expect(await ask({ gathers: false })).toBeUndefined();
    send({} as never);
    expect(sent).toHaveLength(1);
  });

  it('waits five seconds for a primary that is silent', async () => {
    const { ask } = primaryChannel(parent().channel as never);
    const waiting = ask({ gathers: true });
    await vi.advanceTimersByTimeAsync(5000);
    expect(await waiting).toBeUndefined();
  });
});
