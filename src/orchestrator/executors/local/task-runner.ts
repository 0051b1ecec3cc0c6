// Runs tasks as far as the machine goes: slices wait by their order, and whatever ends makes room for the next.

import { failure, type TaskOutcome } from '../../step/outcome.ts';
import { prepareOrder, type PreparedOrder } from '../../step/prepared-order.ts';
import { type Attempt, isScript, runScript } from '../../step/run-script.ts';
import { failureOf } from '../../step/step-failure.ts';
import type { StepHost } from '../../step/step-host.ts';
import type { Slice } from '../executor.ts';
import type { EventBuffer } from './event-buffer.ts';
import type { Pace } from './messages.ts';
import { createPaceMeter, type PaceMeter } from './pace.ts';
import { type Lease, openWarmPool } from './warm-pool.ts';

export interface TaskRunner {
  readonly pace: Pace;
  submit(slices: readonly Slice[]): void;
  /** Resolves when none of it runs. */
  cancel(slices: readonly string[]): Promise<void>;
  /** Starts nothing more. */
  halt(): void;
  close(): Promise<void>;
}

export interface RunnerLimits {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Tasks of one order that wait. */
interface Line {
  readonly spec: string;
  readonly waiting: Attempt[];
  /** Where the first that waits is in `waiting`: it is cut only now and then. */
  from: number;
  readonly pace: PaceMeter;
  prepared: PreparedOrder | undefined;
  /** That run, or whose output is being stored. */
  open: number;
}

interface Running {
  readonly line: Line;
  readonly cpus: number;
  readonly memoryBytes: number;
  has(slice: string): boolean;
  stop(slices: ReadonlySet<string>): void;
  readonly lease?: Lease | undefined;
}

/** A task that is a process: made ready while others run, so that no CPU waits for it. */
interface Script extends Running {
  begin(): void;
  stop(): void;
}

/** Of the work that one process is given at a time. */
const BATCH_MS = 20;
const MOST_IN_BATCH = 512;
/** Outputs that are stored at once; beyond that nothing new starts. */
const MOST_STORING = 64;
/** Processes that are made ready at once, and no more than there are CPUs. */
const MOST_READY = 8;
/** Orders that stay prepared while none of their tasks is here. */
const MOST_IDLE_LINES = 16;

export function openTaskRunner(host: StepHost, limits: RunnerLimits, events: EventBuffer): TaskRunner {
  const lines = new Map<string, Line>();
  const running = new Set<Running>();
  /** Those whose turn has not come. */
  const ready = new Set<Script>();
  const mostReady = Math.min(MOST_READY, Math.ceil(limits.cpus));
  const pool = openWarmPool(host, Math.max(2, Math.ceil(limits.cpus)));
  const left = new Map<string, number>();
  const cancelled = new Set<string>();
  const emptied = new Map<string, (() => void)[]>();
  const warm = createPaceMeter();
  const processes = createPaceMeter();
  let storing = 0;
  let isHalted = false;

  const settle = (line: Line, at: Attempt, outcome: TaskOutcome): void => {
    events.ended(at, outcome);
    line.open -= 1;
    forget(at.slice);
  };

  const forget = (slice: string): void => {
    const rest = (left.get(slice) ?? 1) - 1;
    if (rest > 0) {
      left.set(slice, rest);
      return;
    }
    left.delete(slice);
    cancelled.delete(slice);
    for (const tell of emptied.get(slice) ?? []) tell();
    emptied.delete(slice);
  };

  const prepare = async (line: Line): Promise<void> => {
    try {
      line.prepared = await prepareOrder(host, line.spec);
    } catch (error) {
      lines.delete(line.spec);
      return endWaiting(line, failureOf(error));
    }
    pump();
  };

  const endWaiting = (line: Line, outcome: TaskOutcome): void => {
    for (const at of takeWaiting(line, Infinity)) {
      line.open += 1;
      settle(line, at, outcome);
    }
  };

  const fits = (line: Line): boolean => {
    if (running.size === 0) return true;
    const { cpu = 1 } = line.prepared?.order.resources ?? {};
    let cpus = cpu;
    let memory = line.prepared?.memoryBytes ?? 0;
    for (const one of running) {
      cpus += one.cpus;
      memory += one.memoryBytes;
    }
    return cpus <= limits.cpus && memory <= limits.memoryBytes;
  };

  const pump = (): void => {
    if (isHalted) return;
    for (const line of lines.values()) {
      if (line.prepared === undefined) continue;
      const { action } = line.prepared.order;
      if (action.kind === 'task') startBatches(line, line.prepared);
      else if (isScript(action)) startScripts(line, line.prepared);
      else endWaiting(line, noCode(action.kind));
    }
    dropIdle();
  };

  const dropIdle = (): void => {
    if (lines.size <= MOST_IDLE_LINES) return;
    for (const line of lines.values()) {
      if (lines.size <= MOST_IDLE_LINES) return;
      if (line.prepared === undefined || line.open > 0 || countWaiting(line) > 0) continue;
      lines.delete(line.spec);
      line.prepared.drop();
    }
  };

  const startScripts = (line: Line, prepared: PreparedOrder): void => {
    while (storing < MOST_STORING && fits(line)) {
      const next = [...ready].find((one) => one.line === line) ?? readyScript(line, prepared);
      if (next === undefined) return;
      next.begin();
    }
    while (ready.size < mostReady && readyScript(line, prepared) !== undefined);
  };

  /** The next that waits of a line; undefined where none does. */
  const readyScript = (line: Line, prepared: PreparedOrder): Script | undefined => {
    const [at] = takeWaiting(line, 1);
    if (at === undefined) return undefined;
    line.open += 1;
    const { resources, timeoutMs } = prepared.order;
    const stopper = new AbortController();
    const turn = Promise.withResolvers<void>();
    let beganMs: number | undefined;
    const one: Script = {
      line,
      cpus: resources.cpu ?? 1,
      memoryBytes: prepared.memoryBytes ?? 0,
      has: (slice) => at.slice === slice,
      begin() {
        ready.delete(one);
        running.add(one);
        storing += 1;
        beganMs = performance.now();
        turn.resolve();
      },
      stop() {
        ready.delete(one);
        stopper.abort();
      },
    };
    ready.add(one);
    const { ended, outcome } = runScript(host, prepared, at, {
      turn: turn.promise,
      signal: stopper.signal,
      onStart() {
        events.started(at);
        // By that its driver keeps the timeout should this process be stopped, perhaps by the step itself.
        if (timeoutMs !== null) events.flush();
      },
    });
    void ended.then(() => {
      if (beganMs !== undefined) processes.add(performance.now() - beganMs);
      running.delete(one);
      ready.delete(one);
      pump();
    });
    void outcome.then((end) => {
      if (beganMs !== undefined) storing -= 1;
      settle(line, at, end);
      if (storing === MOST_STORING - 1) pump();
    });
    return one;
  };

  const startBatches = (line: Line, prepared: PreparedOrder): void => {
    while (countWaiting(line) > 0 && storing < MOST_STORING && fits(line)) startBatch(line, prepared);
  };

  const startBatch = (line: Line, prepared: PreparedOrder): void => {
    const attempts = takeWaiting(line, batchSize(line, prepared));
    line.open += attempts.length;
    let lease: Lease | undefined;
    let ran = attempts.length;
    const one: Running = {
      line,
      cpus: prepared.order.resources.cpu ?? 1,
      memoryBytes: prepared.memoryBytes ?? 0,
      get lease() {
        return lease;
      },
      has: (slice) => (lease?.attempts ?? attempts).some((at) => at.slice === slice),
      stop(slices) {
        const [atWork] = lease?.attempts ?? [];
        if (atWork !== undefined && slices.has(atWork.slice)) lease?.stopTask();
        else lease?.recall();
      },
    };
    running.add(one);
    const free = (milliseconds?: number): void => {
      if (!running.delete(one)) return;
      if (milliseconds !== undefined && ran > 0) {
        line.pace.add(milliseconds / ran);
        warm.add(milliseconds / ran);
      }
      pump();
    };
    const taken = pool.take(prepared, attempts, {
      onEnd(at, outcome) {
        settle(line, at, outcome);
      },
      onReturned(returned) {
        ran -= returned.length;
        line.open -= returned.length;
        requeue(line, returned);
        pump();
      },
      onFree: free,
    });
    void taken.then(
      (got) => {
        lease = got;
        const slices = new Set(attempts.filter((at) => cancelled.has(at.slice)).map((at) => at.slice));
        if (slices.size > 0) one.stop(slices);
        watchSlow();
      },
      (error: unknown) => {
        for (const at of attempts) settle(line, at, failureOf(error));
        free();
      },
    );
  };

  const batchSize = (line: Line, { order }: PreparedOrder): number => {
    if (order.isolate === true) return 1;
    const byTime = line.pace.ms === undefined ? 1 : Math.ceil(BATCH_MS / Math.max(line.pace.ms, 1e-3));
    const slots = Math.max(1, Math.floor(limits.cpus / (order.resources.cpu ?? 1)));
    return Math.max(1, Math.min(byTime, MOST_IN_BATCH, Math.ceil(countWaiting(line) / slots)));
  };

  // To the front: they were claimed before the others.
  const requeue = (line: Line, attempts: readonly Attempt[]): void => {
    const kept = attempts.filter(({ slice }) => !cancelled.has(slice));
    line.waiting.splice(0, line.from, ...kept);
    line.from = 0;
    for (const { slice } of attempts) if (cancelled.has(slice)) forget(slice);
  };

  let slowTimer: NodeJS.Timeout | undefined;
  const atWork = new WeakMap<Running, Attempt>();
  /** Tells of what has not ended after a moment that it has started, and takes back what waits behind it while others are idle. */
  const watchSlow = (): void => {
    slowTimer ??= setTimeout(() => {
      slowTimer = undefined;
      let isAny = false;
      for (const one of running) {
        const [first, ...behind] = one.lease?.attempts ?? [];
        if (first === undefined) continue;
        isAny = true;
        const isSame = atWork.get(one) === first;
        if (!isSame) events.started(first);
        else if (behind.length > 0 && countWaiting(one.line) === 0 && fits(one.line)) one.lease?.recall();
        atWork.set(one, first);
      }
      if (isAny) watchSlow();
    }, BATCH_MS);
  };

  const cancel = async (slices: readonly string[]): Promise<void> => {
    const open = slices.filter((slice) => left.has(slice));
    const meant = new Set(open);
    for (const slice of open) cancelled.add(slice);
    const ends = open.map(
      (slice) =>
        new Promise<void>((resolve) => {
          emptied.set(slice, [...(emptied.get(slice) ?? []), resolve]);
        }),
    );
    for (const line of lines.values()) {
      const all = takeWaiting(line, Infinity);
      const kept = all.filter((at) => !meant.has(at.slice));
      line.waiting.push(...kept);
      for (const at of all) if (meant.has(at.slice)) forget(at.slice);
    }
    for (const one of [...running, ...ready]) if (open.some((slice) => one.has(slice))) one.stop(meant);
    await Promise.all(ends);
  };

  return {
    get pace() {
      return { warmMs: warm.ms ?? null, processMs: processes.ms ?? null };
    },
    submit(slices) {
      for (const { id, spec, tasks } of slices) {
        if (tasks.length === 0) continue;
        let line = lines.get(spec);
        if (line === undefined) {
          line = { spec, waiting: [], from: 0, pace: createPaceMeter(), prepared: undefined, open: 0 };
          lines.set(spec, line);
          void prepare(line);
        }
        left.set(id, tasks.length);
        for (const { index, attempt } of tasks) line.waiting.push({ slice: id, index, attempt });
      }
      pump();
    },
    cancel,
    halt() {
      isHalted = true;
      for (const one of ready) one.stop();
    },
    async close() {
      clearTimeout(slowTimer);
      const cancelling = cancel([...left.keys()]);
      await pool.close();
      await cancelling;
    },
  };
}

function noCode(kind: string): TaskOutcome {
  return failure(`a step of kind "${kind}" has no code of its own, and runs where its driver does`, { isFinal: true });
}

function countWaiting({ waiting, from }: Line): number {
  return waiting.length - from;
}

function takeWaiting(line: Line, count: number): readonly Attempt[] {
  const taken = line.waiting.slice(line.from, line.from + Math.min(count, line.waiting.length));
  line.from += taken.length;
  if (line.from > 4096 || line.from === line.waiting.length) {
    line.waiting.splice(0, line.from);
    line.from = 0;
  }
  return taken;
}
