// A process that is killed, played in the test's own: the things that it works with are wrapped, and from a chosen call of any of
// them on it is dead: neither that call nor a later one does anything. What a transaction had written is rolled back.
// Unlike fault-points.ts it counts calls and needs no names of steps; unlike database-faults.ts a transaction is one call, whatever
// statements it has.

/** Thrown by every call of a process that is dead. */
export class Crash extends Error {}

export interface CrashPoints {
  /** Wraps a thing whose calls are counted; a database that one of its calls gives is wrapped too. */
  readonly watch: <T extends object>(target: T) => T;
  /** How many calls there were until now. */
  readonly calls: () => number;
}

/** `at`: the first call that is not done, from 1; 0: all are. */
export function crashAt(at: number): CrashPoints {
  let calls = 0;
  const watch = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(own, property) {
        const member: unknown = Reflect.get(own, property, own);
        if (typeof member !== 'function' || property === 'close') return member;
        return (...args: readonly unknown[]) => {
          calls++;
          if (at > 0 && calls >= at) throw new Crash(`dead before ${String(property)}`);
          const result: unknown = Reflect.apply(member, own, args);
          return result instanceof Promise ? result.then(given) : given(result);
        };
      },
    });
  const given = (value: unknown): unknown => (isDatabase(value) ? watch(value) : value);
  return { watch, calls: () => calls };
}

function isDatabase(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'transaction' in value && 'migrate' in value;
}

/**
 * Runs `trial` once to its end, which counts the calls, and then with a crash at each of them; gives how many there are. `trial`
 * makes a fresh world, works on it through what `watch` gives, and looks at what is left.
 */
export async function sweepCrashes(
  trial: (points: CrashPoints, isCrashing: boolean) => Promise<void>,
): Promise<number> {
  const whole = crashAt(0);
  await trial(whole, false);
  for (let at = 1; at <= whole.calls(); at++) await trial(crashAt(at), true);
  return whole.calls();
}
