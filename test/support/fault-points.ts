// Faults at steps: a process wraps the things it works with, and ends or stops itself before, while or after the n-th call
// of one of their methods; or a test plays such an end in its own process. Nothing under src knows of it.
// Unlike crash-points.ts and database-faults.ts it names its steps, as a process of its own has to be given them, and signals it.

import { writeSync } from 'node:fs';

export interface Fault {
  /** What is called, as the wrapping names it: `own.append`. */
  readonly point: string;
  /** `during`: called, and not waited for. */
  readonly when: 'before' | 'during' | 'after';
  /** Which call; the first is 1. */
  readonly n: number;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

/** Each as `after own.append 3`: when, point, which call. */
export function faultsAt(signal: Fault['signal'], ...steps: readonly string[]): Fault[] {
  return steps.map((step) => {
    const [when, point, n] = step.split(' ') as [Fault['when'], string, string];
    return { point, when, n: Number(n), signal };
  });
}

export interface WatchOptions {
  /** The point that a call is; undefined where it is none. Default: the name and the method. */
  readonly point?: (method: string, args: readonly unknown[]) => string | undefined;
  /** What is given in place of a result: for things that come out of things. */
  readonly give?: (method: string, result: unknown, args: readonly unknown[]) => unknown;
}

export type Watch = <T extends object>(target: T, name: string, options?: WatchOptions) => T;

/** Makes a call of a point, or does not; `call` gives what the caller gets. */
type Around = (point: string, call: () => unknown) => unknown;

function watchWith(around: Around): Watch {
  return (target, name, { point, give } = {}) =>
    new Proxy(target, {
      get(own, property) {
        const member: unknown = Reflect.get(own, property, own);
        if (typeof member !== 'function') return member;
        const method = String(property);
        return (...args: readonly unknown[]) => {
          const at = point === undefined ? `${name}.${method}` : point(method, args);
          const call = (): unknown => Reflect.apply(member, own, args);
          const result = at === undefined ? call() : around(at, call);
          if (give === undefined) return result;
          return result instanceof Promise
            ? result.then((value) => give(method, value, args))
            : give(method, result, args);
        };
      },
    });
}

/** Does something after a call, whether or not it gives a promise. */
const then = (result: unknown, work: (value: unknown) => unknown): unknown =>
  result instanceof Promise ? result.then(work) : work(result);

/** Counts the calls of each point. */
function counter(): (point: string) => number {
  const calls = new Map<string, number>();
  return (point) => {
    const n = (calls.get(point) ?? 0) + 1;
    calls.set(point, n);
    return n;
  };
}

/** For a process of its own: the faults end or stop that process. */
export function createWatch(faults: readonly Fault[]): Watch {
  const count = counter();
  return watchWith((point, call) => {
    const n = count(point);
    const fault = faults.find((one) => one.point === point && one.n === n);
    if (fault?.when === 'before') strike(fault);
    const result = call();
    if (fault?.when === 'during') setImmediate(() => strike(fault));
    return then(result, (value) => {
      if (fault?.when === 'after') strike(fault);
      return value;
    });
  });
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));

function strike({ point, when, signal }: Fault): void {
  // Not by the stream, which would write it too late.
  writeSync(1, `fault ${when} ${point}\n`);
  process.kill(process.pid, signal);
  // The signal may take a moment to come.
  if (signal === 'SIGKILL') Atomics.wait(NEVER, 0, 0, 10_000);
}

/** A process that ends within this one: once it has, each of its calls fails, and what it called before is not answered. */
export interface Crash {
  readonly watch: Watch;
  /** Every step so far that changes something, as `before own.append 3` and `after own.append 3`, in order of their calls. */
  readonly steps: readonly string[];
  readonly hasCrashed: boolean;
  /** Resolves when it crashes. */
  readonly crashed: Promise<void>;
}

/** Answered from memory, and the release of what a process holds: these go on. */
const ALWAYS = new Set(['nodeOf', 'nodeOfClaim', 'assigned', 'entries', 'read', 'scan', 'close']);
/** Change nothing: to end after one is to end before it. */
const READS = new Set(
  'marks inForce unanswered answers ofVersion cuts writers contents claims ofWriter position isNoted fetch bounds reassigned'.split(
    ' ',
  ),
);

/** `step`: where it ends, as `after own.append 3`; without it never does, and the steps are to be seen. */
export function createCrash(step?: string): Crash {
  const steps: string[] = [];
  const count = counter();
  const crashed = Promise.withResolvers<void>();
  let hasCrashed = false;
  const crash = (): void => {
    hasCrashed = true;
    crashed.resolve();
  };
  const gone = (): Promise<never> => {
    const rejected = Promise.reject(new Error('the process is gone'));
    // Whoever does not wait for it is gone too.
    rejected.catch(() => {});
    return rejected;
  };
  const around: Around = (point, call) => {
    const method = point.slice(point.lastIndexOf('.') + 1);
    if (ALWAYS.has(method)) return call();
    if (hasCrashed) return gone();
    if (READS.has(method)) return then(call(), (value) => (hasCrashed ? gone() : value));
    const n = count(point);
    steps.push(`before ${point} ${n}`, `after ${point} ${n}`);
    if (step === `before ${point} ${n}`) {
      crash();
      return gone();
    }
    return then(call(), (value) => {
      if (step === `after ${point} ${n}`) crash();
      return hasCrashed ? gone() : value;
    });
  };
  return {
    watch: watchWith(around),
    steps,
    get hasCrashed() {
      return hasCrashed;
    },
    crashed: crashed.promise,
  };
}
