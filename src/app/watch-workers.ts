// Finds workers that hang: stopped, or caught in a loop of somebody's code. A worker tells something every second; one that has told
// nothing for long answers nobody, and whoever is connected to it waits in vain.

export interface WorkersWatch<Worker> {
  /** It has told something: from its first word on it is watched. */
  heard(worker: Worker): void;
  /** It has ended. */
  left(worker: Worker): void;
  close(): void;
}

export interface WatchWorkers<Worker> {
  readonly limitMs: number;
  /** Called once; it is watched no longer. */
  readonly onSilent: (worker: Worker, silentMs: number) => void;
}

/** So often is looked within the limit. */
const LOOKS = 10;

interface Heard {
  /** Looks since. */
  looks: number;
  readonly atMs: number;
}

/**
 * Silence is counted in looks, not by the clock: a process that was stopped itself looks once when it goes on, and then reads what it
 * was told meanwhile, so it takes none for silent that was only not heard.
 */
export function watchWorkers<Worker>({ limitMs, onSilent }: WatchWorkers<Worker>): WorkersWatch<Worker> {
  const last = new Map<Worker, Heard>();
  const timer = setInterval(() => {
    for (const [worker, heard] of last) {
      if (++heard.looks <= LOOKS) continue;
      last.delete(worker);
      onSilent(worker, Math.round(performance.now() - heard.atMs));
    }
  }, limitMs / LOOKS);
  timer.unref();
  return {
    heard: (worker) => void last.set(worker, { looks: 0, atMs: performance.now() }),
    left: (worker) => void last.delete(worker),
    close: () => clearInterval(timer),
  };
}
