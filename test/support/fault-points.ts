// Faults at steps: a process wraps the things it works with, and ends or stops itself before, while or after the n-th call
// of one of their methods. Nothing under src knows of it.

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

export function createWatch(faults: readonly Fault[]): Watch {
  const calls = new Map<string, number>();

  const faultOf = (point: string): Fault | undefined => {
    const n = (calls.get(point) ?? 0) + 1;
    calls.set(point, n);
    return faults.find((fault) => fault.point === point && fault.n === n);
  };

  return (target, name, { point, give } = {}) =>
    new Proxy(target, {
      get(own, property) {
        const member: unknown = Reflect.get(own, property, own);
        if (typeof member !== 'function') return member;
        const method = String(property);
        return (...args: readonly unknown[]) => {
          const at = point === undefined ? `${name}.${method}` : point(method, args);
          const fault = at === undefined ? undefined : faultOf(at);
          if (fault?.when === 'before') strike(fault);
          const result: unknown = Reflect.apply(member, own, args);
          if (fault?.when === 'during') setImmediate(() => strike(fault));
          const given = (value: unknown): unknown => {
            if (fault?.when === 'after') strike(fault);
            return give === undefined ? value : give(method, value, args);
          };
          return result instanceof Promise ? result.then(given) : given(result);
        };
      },
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
