// The primary of several workers, with workers that say and do what the test tells them to, and a clock of its own.

import { EventEmitter, once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Admission, type Admitted, admitWorkers } from '../../src/app/admit-workers.ts';
import type { WorkerEvents } from '../../src/app/fork-worker.ts';
import { createTotalsOwner } from '../../src/app/own-totals.ts';
import { primaryChannel } from '../../src/app/primary-channel.ts';
import type { RunningServer } from '../../src/app/running-server.ts';
import { superviseWorkers } from '../../src/app/supervise-workers.ts';
import type { ToWorker, WorkerStart } from '../../src/app/worker-messages.ts';
import { type Logger, systemClock } from '../../src/core/index.ts';
import { createMonitor, type Monitor, type ToldTotals } from '../../src/monitoring/index.ts';

describe('the primary of several workers', () => {
  /** A worker as it was started; `die`: its process ends. */
  interface Started {
    readonly start: WorkerStart;
    readonly events: WorkerEvents;
    readonly told: string[];
    isKilled: boolean;
    die(signal?: string): void;
  }

  const LIMITS = { silenceMs: 30_000, unreadyMs: 60_000 };
  let [workers, log, ended]: [Started[], string[], string[]] = [[], [], []];
  /** Of the next workers: whether there is no process to be had, and whether they take connections as soon as told to. */
  let [isLacking, isProper] = [false, true];

  beforeEach(() => {
    vi.useFakeTimers();
    [workers, log, ended, isLacking, isProper] = [[], [], [], false, true];
  });
  afterEach(() => void vi.useRealTimers());
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

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
  /** So many seconds, in each of which these report. */
  async function reporting(seconds: number, alive: () => readonly Started[]): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      for (const one of alive()) reportsOf(one, second);
      await pass(1000);
    }
  }

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
      await pass(60_000);
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
      await pass(60_000);
      expect(workers.map(({ told }) => told.join())).toEqual(['listen,stop', 'listen,stop']);
    });
  });

  describe('a worker that dies', () => {
    it('is told to the registry, and another is started in its place with the same task', async () => {
      await supervise();
      worker(0).die();
      expect(ended).toEqual([worker(0).start.serverId]);
      await pass(199);
      expect(workers).toHaveLength(2);
      await pass(1);
      expect(worker(2)).toMatchObject({ start: { compacts: true, port: 8080 }, told: ['listen'] });
      expect(worker(2).start.serverId).not.toBe(worker(0).start.serverId);
      expect(log).toEqual([expect.stringMatching(/^a worker crashed and is started again .*"signal":"SIGKILL"/)]);
    });

    it('again and again is started ever later, up to ten seconds; one that lived long at once', async () => {
      await supervise(1);
      const pauses: number[] = [];
      for (let death = 0; death < 8; death++) {
        const before = workers.length;
        await pass(1);
        worker(before - 1).die();
        const diedMs = performance.now();
        while (workers.length === before) await vi.advanceTimersToNextTimerAsync();
        pauses.push(Math.round(performance.now() - diedMs));
      }
      expect(pauses).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
      await reporting(12, () => [worker(8)]);
      worker(8).die();
      await pass(100);
      expect(workers).toHaveLength(10);
    });

    it('while the server stops is not started again', async () => {
      const server = await supervise();
      worker(1).die();
      await server.stop();
      await pass(60_000);
      expect(workers).toHaveLength(2);
    });

    it('before the server hears of it breaks nothing: what is written to it is lost', async () => {
      await supervise();
      worker(1).events.missing('write EPIPE');
      expect(log).toEqual([expect.stringContaining('a worker is not there')]);
      worker(1).die();
      await pass(200);
      expect(workers).toHaveLength(3);
    });

    it('is not waited for by what it said last, which is read after its end', async () => {
      await supervise();
      const [one, other] = [worker(0), worker(1)];
      one.die();
      reportsOf(one, 1);
      one.events.received({ kind: 'listening', url: 'http://127.0.0.1:8080' });
      expect(other.events.hasOthers()).toBe(false);
      await reporting(40, () => workers.slice(1));
      expect(log).toHaveLength(1);
    });

    it('has nobody to take its connections when all have died', async () => {
      await supervise();
      const [one, other] = [worker(0), worker(1)];
      expect([one.events.hasOthers(), other.events.hasOthers()]).toEqual([true, true]);
      one.die();
      expect(other.events.hasOthers()).toBe(false);
      await pass(200);
      expect(other.events.hasOthers()).toBe(true);
    });

    it('is tried again while there is no process to be had', async () => {
      await supervise();
      isLacking = true;
      worker(0).die();
      await pass(200 + 400 + 800);
      expect(workers.length).toBeGreaterThanOrEqual(4);
      expect(log.join('\n')).toContain(
        'a worker could not start {"reason":"HeadraceError: a worker could not be started',
      );
      isLacking = false;
      await pass(10_000);
      expect(workers.at(-1)?.told).toEqual(['listen']);
      expect(workers.filter(({ told }) => told.includes('listen'))).toHaveLength(3);
    });
  });

  describe('a worker that is silent', () => {
    it('is killed after the limit and replaced; one that reports is left alone', async () => {
      await supervise();
      await reporting(34, () => [worker(0)]);
      expect(workers.slice(0, 2).map(({ isKilled }) => isKilled)).toEqual([false, true]);
      expect(log[0]).toMatch(/^a worker told nothing for too long and is killed \{"pid":101,"silentMs":3\d{4}\}/);
      expect(workers).toHaveLength(3);
    });

    it('is not told of while the server stops', async () => {
      const server = await supervise();
      const stopping = server.stop();
      await pass(120_000);
      await stopping;
      expect(log).toEqual([]);
    });
  });

  describe('a worker in place of another', () => {
    it('does not listen before it is ready, as long as another is', async () => {
      await supervise();
      isProper = false;
      worker(0).die();
      await pass(200);
      worker(2).events.received({ kind: 'up', isReady: false });
      await pass(10);
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
      await pass(5000);
      expect(await waiting).toBeUndefined();
    });
  });
});

describe('a worker', () => {
  const LIMIT_MS = 30_000;
  let listening: number[];
  let told: string[];
  let admission: Admission;
  let workers: Admitted[];

  beforeEach(() => {
    vi.useFakeTimers();
    [listening, told, workers] = [[], [], []];
    const tell = (fields: object, message: string): void => void told.push(`${JSON.stringify(fields)} ${message}`);
    const logger: Logger = { debug: tell, info: tell, warn: tell, error: tell };
    admission = admitWorkers({ limitMs: LIMIT_MS, logger });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** `+1` and `-1`: worker 1 comes, ready or not; `*1`: in place of another; `r1`, `u1`: reports so; `x1`: has gone. */
  function play(events: string): void {
    for (const event of events.split(' ')) {
      const worker = { pid: Number(event.at(-1)), listen: () => void listening.push(Number(event.at(-1))) };
      const one = (workers[worker.pid] ??= worker);
      if (event.startsWith('x')) admission.left(one);
      else if (/^[ru]/.test(event)) admission.reported(one, event.startsWith('r'));
      else admission.up(one, { isReady: event.includes('+'), isReplacement: event.startsWith('*') });
    }
  }

  it.each([
    ['of the first start listens at once, ready or not', '+1 -2', [1, 2]],
    ['in place of another listens at once when it is ready', '+1 *+2', [1, 2]],
    ['in place of another listens at once when no other that listens is ready', '-1 *-2 *-3', [1, 2, 3]],
    ['in place of another waits beside a ready one', '+1 *-2 u2', [1]],
    ['in place of another listens once it is ready, and once only', '+1 *-2 u2 r2 r2', [1, 2]],
    ['goes on waiting while one of two is ready', '+1 +2 *-3 u1', [1, 2]],
    ['waits no longer when the ready ones are not so any more, or have gone', '+1 +2 *-3 u1 x2', [1, 2, 3]],
    ['waits for one that waits itself only once that listens: of none that is ready, both', '+1 *-2 *-3 x1', [1, 2, 3]],
    ['that ends while it waits is not told to listen', '+1 *-2 x2 r2', [1]],
  ])('%s', (_what, events, expected) => {
    play(events);
    expect(listening).toEqual(expected);
    if (/[rx]2/.test(events)) vi.advanceTimersByTime(LIMIT_MS * 2);
    expect([listening, told]).toEqual([expected, []]);
  });

  it('listens when it has waited long enough, which is told', () => {
    play('+1 *-2');
    vi.advanceTimersByTime(LIMIT_MS - 1);
    expect(listening).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(listening).toEqual([1, 2]);
    expect(told).toEqual([expect.stringMatching(/^\{"pid":2,"limitMs":30000\} .*not ready in time/)]);
  });
});

describe('totals', () => {
  const opened: { close(): unknown }[] = [];
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
  });
  const opens = <T extends { close(): unknown }>(one: T): T => {
    opened.push(one);
    return one;
  };

  /** A server that is asked too late: the time that it waits has passed before it reads anything. */
  const STARVED_MS = 400;

  it('counts what lies in a channel before it tells, though the time for it is over', async () => {
    const owner = createTotalsOwner(systemClock);
    const monitor: Monitor = opens(createMonitor(systemClock));
    monitor.endpoint('delay').answered(1000, 1);
    const { promise: told, resolve } = Promise.withResolvers<ToldTotals>();
    const asks = { id: 1, send: (message: ToWorker) => message.kind === 'totals' && resolve(message.totals) };
    const other = { id: 2, send: () => {} };
    owner.joined(asks);
    owner.joined(other);
    // The other's channel: a real one, since it is the event loop's order that counts.
    const server = opens(createServer());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number }; // It listens on TCP.
    const worker = connect(port, '127.0.0.1');
    const [channel] = (await once(server, 'connection')) as [NodeJS.ReadableStream];
    channel.once('data', () => owner.received(other, { kind: 'report', report: { sequence: 1, ...monitor.take() } }));
    opened.push({ close: () => worker.destroy() });

    owner.received(asks, { kind: 'ask', ask: 1, gathers: true });
    await new Promise((sent) => worker.write('report', sent));
    for (const untilMs = performance.now() + STARVED_MS; performance.now() < untilMs; );
    const { increment } = await told;
    expect(increment.cells).toMatchObject([{ tallies: [{ requests: 1 }] }]);
  });
});
