// A process that pushes, settles, consumes or materializes ends before and after each of its calls of the log, the store and
// the registry, in turn: whoever comes next finds every acknowledged event once, and a retried key counts once.

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MICROS_PER_MINUTE, silentLogger } from '../../src/core/index.ts';
import type { LogWriter } from '../../src/events/index.ts';
import type { IngestionDeps } from '../../src/ingestion/index.ts';
import { materialize } from '../../src/offline/index.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import type { Database } from '../../src/storage/index.ts';
import { consume, openDeadLetterFile } from '../../src/streams/index.ts';
import { eachWorld } from '../support/each-world.ts';
import { readDeadLetters } from '../support/dead-letters.ts';
import { type Crash, createCrash } from '../support/fault-points.ts';
import { NOW, openIngestionWorld, type PushProcess } from '../support/ingestion-world.ts';
import { createMemoryTopic, type MemoryTopic } from '../support/memory-stream.ts';
import { countedInLogs, countedOnline, definitions, numberedEvent } from '../support/numbered-events.ts';
import { openOfflineWorld } from '../support/offline-world.ts';
import { keepLinks } from '../support/kept-links.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { jsonRules } from '../support/stream-rules.ts';
import { isFull } from '../support/tier.ts';

const event = (n: number) => numberedEvent(n, NOW - MICROS_PER_MINUTE);
/** Every third is pushed with a key. */
const keyOf = (n: number): string | undefined => (n % 3 === 0 ? `key ${n}` : undefined);

/** All that ingestion works with, watched. */
const watched =
  ({ watch }: Crash) =>
  (deps: IngestionDeps): IngestionDeps => ({
    ...deps,
    log: watch(deps.log, 'log', {
      // What these methods of the port give.
      give(method, result) {
        if (method === 'register') return watch(result as LogWriter, 'own');
        if (method === 'adopt') return (result as LogWriter[]).map((writer) => watch(writer, 'dead'));
        return result;
      },
    }),
    store: watchedStore(deps.store, watch),
    runs: watch(deps.runs, 'runs'),
    ...(deps.feeds && { feeds: watch(deps.feeds, 'feeds') }),
    ...(deps.pushed && { pushed: watch(deps.pushed, 'pushed') }),
  });

const watchedStore = (store: OnlineStore, watch: Crash['watch']): OnlineStore =>
  watch(store, 'store', {
    give: (method, result) => {
      if (method === 'run') return watch(result as object, 'run');
      return method === 'writer' ? watch(result as object, 'writer') : result;
    },
  });

/** Changes of runs' rows, in order: asked, opened, finished. */
const watchedRows = (database: Database, watch: Crash['watch']): Database =>
  watch(database, 'rows', {
    give: (method, result) => (method === 'migrate' ? watchedRows(result as Database, watch) : result),
    point: (method, [, options]) =>
      // The port's options of a transaction.
      method === 'transaction' && (options as { serializedBy?: string } | undefined)?.serializedBy === 'online_runs'
        ? 'rows.change'
        : undefined,
  });

/** Before and after each call; in the quick tier after each alone, which is before the next. */
const swept = (steps: readonly string[]): readonly string[] =>
  isFull ? steps : steps.filter((step) => step.startsWith('after '));

describe.each(onlineStoreKinds())('a process that dies at any step, on $name,', (kind) => {
  const world = eachWorld(() => openIngestionWorld(kind));

  const links = keepLinks();
  afterEach(() => links.close());
  const open = (machine: string, crash?: Crash): Promise<PushProcess> =>
    world.open({
      definitions: () => definitions,
      machine,
      between: links.keeping,
      // Nobody waits for the end of what is gone.
      limits: { timeoutMs: 1000 },
      ...(crash && { around: watched(crash), closeLimit: () => (crash.hasCrashed ? 0 : 10_000) }),
    });
  const counted = (numbers: readonly number[]) => countedOnline(world, numbers);

  /** What was sent, by the step that its process died at, and what of it was acknowledged. */
  const sent = new Map<number, string>();
  const acknowledged = new Set<number>();
  beforeEach(() => {
    sent.clear();
    acknowledged.clear();
  });
  const push = async ({ ingestion }: PushProcess, n: number, step: string): Promise<void> => {
    sent.set(n, step);
    await ingestion.push('events', [event(n)], keyOf(n));
    acknowledged.add(n);
  };
  /** Two cuts: the first is asked for by a run, sealed and shipped; the second ends with the process. */
  const life = async (by: PushProcess, step: string): Promise<void> => {
    const first = 9 * sent.size;
    await push(by, first, step);
    await Promise.all([push(by, first + 1, step), push(by, first + 3, step)]);
    await world.ask(definitions.manifest);
    await by.ingestion.look();
    await push(by, first + 6, step);
    await push(by, first + 7, step);
    await by.ingestion.look();
    await by.ingestion.close();
  };
  /** What was acknowledged is seen from then on. */
  const expectSeen = async (step: string): Promise<void> => {
    const own = [...acknowledged].filter((n) => sent.get(n) === step);
    expect(await counted(own), step).toEqual(own.map(() => 1));
  };
  /** The next process settles what is left, and each key is sent again: what was acknowledged counts once, the rest at most. */
  const expectOnce = async (): Promise<void> => {
    for (let machine = 0; machine < machines; machine++) {
      const heir = await open(`${machine}`);
      await heir.ingestion.settle();
      await heir.close();
    }
    const next = await open('next');
    for (const [n, step] of sent) {
      const key = keyOf(n);
      if (key === undefined) continue;
      const { duplicate } = await next.ingestion.push('events', [event(n)], key);
      if (acknowledged.has(n)) expect({ step, n, duplicate }).toEqual({ step, n, duplicate: true });
    }
    await next.ingestion.close();
    const numbers = [...sent.keys()];
    const [online, logged] = [await counted(numbers), await countedInLogs(next.log)];
    const found = numbers.map((n, i) => ({ n, step: sent.get(n), online: online[i], inLogs: logged.get(n) ?? 0 }));
    const wanted = found.map(({ n, step, online = 0 }) => {
      const count = acknowledged.has(n) || keyOf(n) !== undefined ? 1 : Math.min(online, 1);
      return { n, step, online: count, inLogs: count };
    });
    expect(found).toEqual(wanted);
    const rows = wanted.reduce((sum, { online }) => sum + online, 0);
    expect(await world.pushed.rows('events'), 'as who follows pushes is told').toBe(rows);
    expect((await next.log.writers()).filter(({ state }) => state !== 'ended')).toEqual([]);
  };

  /** Every life is one of a machine of its own: none settles what another left. */
  let machines = 0;
  /** How often a step is tried: what a process does at once may come in another order. */
  const TRIES = 4;

  /**
   * Lives once without a crash, which takes at least these steps, and once for each of the steps that it took: all of them, or
   * those that `live` gives, where others are of its end.
   */
  const sweep = async (
    live: (crash: Crash, step: string) => Promise<readonly string[] | void>,
    expected: Readonly<Record<string, string>>,
  ): Promise<void> => {
    machines = 0;
    const whole = createCrash();
    const taken = (await live(whole, 'none')) ?? whole.steps;
    const steps = Object.entries(expected).flatMap(([of, calls]) => calls.split(', ').map((call) => `${of}.${call}`));
    expect(whole.steps).toEqual(expect.arrayContaining(steps.flatMap((one) => [`before ${one}`, `after ${one}`])));
    for (const step of swept(taken)) {
      let hasCrashed = false;
      for (let tries = 0; tries < TRIES && !hasCrashed; tries++) {
        const crash = createCrash(step);
        await live(crash, step);
        ({ hasCrashed } = crash);
      }
      expect({ step, hasCrashed }).toEqual({ step, hasCrashed: true });
    }
  };

  it('of pushing', { timeout: 120_000 }, async () => {
    const pushing = async (crash: Crash, step: string): Promise<void> => {
      const server = await open(`${machines++}`, crash);
      await Promise.race([life(server, step), crash.crashed]).catch(() => {});
      await server.drop();
      await expectSeen(step);
    };
    await sweep(pushing, {
      log: 'register 1',
      own: 'openCut 2, append 5, seal 2, ship 2, finish 1',
      writer: 'claim 3, putParts 4, finish 3, expire 2',
      runs: 'answer 1',
      pushed: 'tell 2',
    });
    await expectOnce();
  });

  it('of settling', { timeout: 120_000 }, async () => {
    /** Dies with a sealed cut and one that is open, and a keyed entry whose claim never came. */
    const dies = async (machine: string, step: string): Promise<void> => {
      const crash = createCrash('before writer.claim 3');
      const dead = await open(machine, crash);
      await Promise.race([life(dead, step), crash.crashed]).catch(() => {});
      await dead.drop();
    };
    const settling = async (crash: Crash, step: string): Promise<readonly string[]> => {
      const machine = `${machines++}`;
      await dies(machine, step);
      const settler = await open(machine, crash);
      await Promise.race([settler.ingestion.settle(), crash.crashed]).catch(() => {});
      const taken = [...crash.steps];
      await settler.drop();
      await expectSeen(step);
      return taken;
    };
    await sweep(settling, {
      log: 'adopt 1',
      store: 'fenceWriter 1, writer 1',
      writer: 'putParts 1, expire 1',
      dead: 'seal 1, ship 1, finish 1',
      pushed: 'tell 1',
    });
    await expectOnce();
  });

  it('of consuming a stream', { timeout: 120_000 }, async () => {
    const rules = await jsonRules(definitions, 'events');
    const letters = join(world.places.objects, '..', 'letters.jsonl');
    let messages = 0;
    const newTopic = (topicId: string): { readonly topic: MemoryTopic; readonly numbers: readonly number[] } => {
      const topic = createMemoryTopic(2, topicId);
      const numbers = Array.from({ length: 8 }, () => messages++);
      for (const n of numbers) topic.send([{ value: JSON.stringify(event(n)), partition: n % 2 }]);
      for (const partition of [0, 1]) topic.send([{ value: 'no row', partition }]);
      return { topic, numbers };
    };
    /** As `headrace consume` does; what the dead left on its machine is settled first. */
    const read = async (topic: MemoryTopic, machine: string, crash = createCrash()): Promise<void> => {
      const { ingestion, ...own } = await open(machine, crash);
      const stream = crash.watch(topic.open(), 'stream');
      const stop = new AbortController();
      const reading = async (): Promise<unknown> => {
        await ingestion.settle();
        const done = await consume({
          stream,
          deadLetters: crash.watch(openDeadLetterFile(letters, 'topic'), 'letters'),
          feed: (partition) => ingestion.feed({ source: 'events', feed: `${stream.topicId}/${partition}` }),
          sift: (rows) => ingestion.sift('events', rows),
          rules,
          isUntilCaughtUp: true,
          patienceMs: 5000,
          logger: silentLogger,
          signal: stop.signal,
        });
        await ingestion.close();
        return done;
      };
      const ended = reading();
      await Promise.race([ended, crash.crashed]).catch(() => {});
      stop.abort();
      await own.drop();
      if (!crash.hasCrashed) await ended;
      await stream.close();
    };
    const consuming = async (crash: Crash, step: string): Promise<void> => {
      const machine = `${machines++}`;
      const { topic, numbers } = newTopic(machine);
      await read(topic, machine, crash);
      await read(topic, machine);
      expect(await counted(numbers), step).toEqual(numbers.map(() => 1));
      const kept = readDeadLetters(letters)
        .slice(-4)
        .map(({ partition, offset }) => `${String(partition)}/${String(offset)}`);
      expect(new Set(kept), step).toEqual(new Set(['0/4', '1/4']));
    };
    await sweep(consuming, {
      own: 'append 1, seal 1, ship 1',
      writer: 'claim 1, putParts 1, finish 1',
      feeds: 'begin 1, note 1, advance 1',
      letters: 'put 1',
      stream: 'commit 1',
    });
  });

  it('of a run', { timeout: 120_000 }, async () => {
    const offline = await openOfflineWorld();
    try {
      const server = await world.open({ definitions: () => definitions, machine: 'server', lookEveryMs: 5 });
      // The server answers.
      const places = { log: server.log, dataDirectory: offline.directory, askTimeoutMs: 5000 };
      const own = { definitions, clock: world.clock, ...places };
      const given = { ...offline.deps, ...own };
      const run = (watch: Crash['watch'] = createCrash().watch): Promise<unknown> =>
        materialize(
          { ...given, store: watchedStore(world.store, watch), database: watchedRows(world.database, watch) },
          { incremental: true, dryRun: false },
        );
      const everything = async (): Promise<void> => {
        const numbers = [...sent.keys()];
        expect(await counted(numbers)).toEqual(numbers.map(() => 1));
      };
      const running = async (crash: Crash, step: string): Promise<void> => {
        const first = 3 * sent.size;
        for (const n of [first, first + 1, first + 2]) await push(server, n, step);
        await run(crash.watch).catch(() => {});
        await push(server, first + 3, step);
        // Between two runs, of which one came to no end, and with what came since.
        await everything();
      };
      await sweep(running, { rows: 'change 1, change 2, change 3', store: 'run 1', run: 'begin 1, write 1, mark 1' });
      await run();
      await everything();
      expect(sent.size).toBeGreaterThan(20);
    } finally {
      await offline.close();
    }
  });
});
