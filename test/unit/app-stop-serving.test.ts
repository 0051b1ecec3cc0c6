// The stop of a server, with parts that end as the test says and a clock of its own.

import fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createStop, type StopServing } from '../../src/app/stop-serving.ts';
import { stopWorkers } from '../../src/app/stop-workers.ts';
import { killLimitMs } from '../../src/app/stop-limits.ts';
import type { WorkerProcess } from '../../src/app/fork-worker.ts';
import type { Logger } from '../../src/core/index.ts';

let happened: string[];
let logger: Logger;
beforeEach(() => {
  vi.useFakeTimers();
  happened = [];
  const tell = (_: object, message: string): void => void happened.push(message);
  logger = { debug: tell, info: tell, warn: tell, error: tell };
});
afterEach(() => void vi.useRealTimers());

const never = new Promise<void>(() => {});

/** Parts that end at once and note their names, but for those that `closing` gives. */
function stopped(
  closing: Partial<Record<string, () => Promise<void>>> = {},
  drain = { delayMs: 0, timeoutMs: 10_000 },
): StopServing {
  const closes = (name: string) => ({
    close(): Promise<void> {
      happened.push(name);
      return closing[name]?.() ?? Promise.resolve();
    },
  });
  const names = ['minutes', 'guard', 'models', 'jobs', 'reports', 'fills', 'background'] as const;
  const parts = Object.fromEntries(names.map((name) => [name, closes(name)])) as Record<
    (typeof names)[number],
    ReturnType<typeof closes>
  >;
  const server = fastify();
  server.addHook('onClose', async () => {
    happened.push('http');
    await closing['http']?.();
  });
  return {
    planes: { drain: () => void happened.push('not ready'), close: closes('planes').close },
    server,
    grpc: { ...closes('grpc'), cut: () => void happened.push('cut') },
    drain,
    logger,
    parts: {
      ...parts,
      predictionLog: closes('log'),
      monitor: { close: () => void happened.push('monitor') },
      tracing: { shutdown: closes('tracing').close },
    },
    lastFigures: () => void happened.push('last figures'),
  };
}

/** Runs for `ms`; gives what happened in it. */
async function during(ms: number): Promise<string[]> {
  happened.length = 0;
  await vi.advanceTimersByTimeAsync(ms);
  return [...happened];
}

/** Begins a stop that notes its end. */
function begin(given: StopServing): Promise<void> {
  return createStop(given)
    .stop()
    .then(() => void happened.push('over'));
}

describe('a stop', () => {
  it('is not ready at once, and goes on answering for the drain delay', async () => {
    const { stop } = createStop(stopped({}, { delayMs: 4000, timeoutMs: 10_000 }));
    const stopping = stop();
    expect(happened).toEqual(['not ready', 'background']);
    expect(await during(3999)).toEqual([]);
    expect(await during(1)).toEqual(expect.arrayContaining(['http', 'grpc', 'log']));
    await vi.runAllTimersAsync();
    await stopping;
    expect(stop()).toBe(stopping);
  });

  it.each(['before', 'after'])('told to hurry %s it began, waits for no balancer', async (when) => {
    const { stop, hurry } = createStop(stopped({}, { delayMs: 60_000, timeoutMs: 10_000 }));
    if (when === 'before') hurry();
    const stopping = stop();
    hurry();
    expect(await during(100)).toContain('http');
    await stopping;
  });

  it('saves the log first, and reports the last figures and spans when all has closed', async () => {
    const stopping = begin(stopped());
    await vi.runAllTimersAsync();
    await stopping;
    const at = (name: string): number => happened.indexOf(name);
    expect(at('cut')).toBeLessThan(at('planes'));
    expect(at('http')).toBeLessThan(at('log'));
    expect(happened.slice(-4)).toEqual(['last figures', 'tracing', 'monitor', 'over']);
    // All of the parts, jobs and fills before the connections.
    const all =
      'not ready,background,jobs,fills,http,grpc,cut,planes,log,minutes,guard,reports,models,last figures,tracing,monitor,over';
    expect([...new Set(happened)].toSorted()).toEqual(all.split(',').toSorted());
  });

  it('cuts off who is still answered after the drain timeout', async () => {
    const stopping = begin(stopped({ grpc: () => never }, { delayMs: 0, timeoutMs: 10_000 }));
    expect(await during(9999)).not.toContain('cut');
    expect(await during(1)).toEqual(expect.arrayContaining(['cut', 'log', 'planes']));
    await vi.runAllTimersAsync();
    await stopping;
  });

  it('waits a second for a model that hangs, and no longer', async () => {
    const stopping = begin(stopped({ models: () => never }));
    expect(await during(999)).not.toContain('over');
    const words = ['a model did not close in time; the server stops without', 'over'];
    expect(await during(100)).toEqual(expect.arrayContaining(words));
    await stopping;
  });

  it('waits for a part that hangs at most its limit, and for none of the others behind it', async () => {
    const stopping = begin(stopped({ planes: () => never }));
    // Models are let go of by the planes, or a while before the limit.
    expect(await during(1999)).toEqual(expect.arrayContaining(['log', 'minutes', 'guard', 'reports']));
    expect(happened).not.toContain('models');
    const words = ['models', 'ingestion did not close in time; the server stops without', 'over'];
    expect(await during(1100)).toEqual(expect.arrayContaining(words));
    await stopping;
  });

  it('logs a part that fails at its end, and closes the others', async () => {
    const fails = (): Promise<void> => Promise.reject(new Error('the registry is away'));
    const stopping = begin(stopped({ planes: fails, log: fails }));
    await vi.runAllTimersAsync();
    await stopping;
    const words = ['ingestion did not close well', 'the prediction log did not close well', 'models'];
    expect(happened).toEqual(expect.arrayContaining(words));
    expect(happened.at(-2)).toBe('monitor');
  });

  it('gives telemetry three seconds for what it has left to send', async () => {
    const stopping = begin(stopped({ tracing: () => never }));
    expect(await during(2999)).not.toContain('over');
    expect(await during(100)).toContain('over');
    await stopping;
  });
});

describe('the stop of all workers', () => {
  const DRAIN = { delayMs: 5000, timeoutMs: 1000 };
  /** Two workers; the second hangs. */
  function workers() {
    const told: string[] = [];
    const worker = (pid: number, ended: Promise<void>): WorkerProcess => ({
      id: pid,
      pid,
      ended,
      send: ({ kind }) => void told.push(`${kind} ${pid}`),
      kill() {
        told.push(`kill ${pid}`);
        all.delete(hanging);
        end();
      },
    });
    let end = (): void => {};
    const hanging = worker(2, new Promise((resolve) => (end = resolve)));
    const well = worker(1, Promise.resolve());
    const all = new Set([well, hanging]);
    return { told, all, well };
  }

  it('tells each, and kills one that is there after all that a stop may take', async () => {
    const { told, all, well } = workers();
    const stopping = stopWorkers({ workers: all, drain: DRAIN, logger }).stop();
    all.delete(well);
    await vi.advanceTimersByTimeAsync(killLimitMs(DRAIN) - 1);
    expect(told).toEqual(['stop 1', 'stop 2']);
    await vi.advanceTimersByTimeAsync(1);
    expect(told.slice(2)).toEqual(['kill 2']);
    await stopping;
    expect(happened).toEqual(['a worker did not stop in time and is killed']);
  });

  it('told to hurry, passes that on and waits for no balancer’s delay', async () => {
    const { told, all, well } = workers();
    const { stop, hurry } = stopWorkers({ workers: all, drain: DRAIN, logger });
    const stopping = stop();
    all.delete(well);
    hurry();
    expect(told.slice(2)).toEqual(['hurry 2']);
    await vi.advanceTimersByTimeAsync(killLimitMs({ ...DRAIN, delayMs: 0 }));
    expect(told.slice(3)).toEqual(['kill 2']);
    await stopping;
  });

  it('kills nobody who ends in time', async () => {
    const { told, all, well } = workers();
    for (const one of all) if (one !== well) all.delete(one);
    await stopWorkers({ workers: all, drain: DRAIN, logger }).stop();
    await vi.advanceTimersByTimeAsync(killLimitMs(DRAIN) * 2);
    expect(told).toEqual(['stop 1']);
  });
});
