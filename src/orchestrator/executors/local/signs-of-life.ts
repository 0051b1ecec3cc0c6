// Whether a driver's launcher stands still: it is asked for a sign of life again and again, and ended where none comes. A process that
// was stopped (SIGSTOP) neither ends nor closes its channel: nothing else would tell.

export interface SignsOfLife {
  /** Anything came from it. */
  heard(): void;
  /** Something is waited for that it does in time, unless it stands still; gives what says that it came. */
  expect(withinMs: number): () => void;
  close(): void;
}

export interface LifeWatch {
  readonly ask: () => void;
  /** Once, with how long nothing was heard. */
  readonly onStill: (silentMs: number) => void;
  /** Whether it should have ended something by now that runs since it was heard last, by `performance.now()`, or longer. */
  readonly isOverdue: (heardMs: number) => boolean;
  /** So long it may say nothing where nothing is waited for. */
  readonly stillMs: number;
}

/** A launcher that loads its code can't answer yet. */
const LOADING = 4;
/** Looks, not time: where this process stood still itself, one look comes late and what was said meanwhile is heard after it. */
const LOOKS = 15;
/** Nothing for so many looks: it does stand still, and what is waited for won't come. */
const SILENT_LOOKS = 3;
const LOOK_MS = 1000;

export function watchForLife({ ask, onStill, isOverdue, stillMs }: LifeWatch): SignsOfLife {
  const expected = new Set<{ readonly untilMs: number }>();
  let looks = 0;
  let isLoading = true;
  let heardMs = performance.now();
  const timer = setInterval(
    () => {
      looks += 1;
      const isSilent = looks > SILENT_LOOKS;
      const now = performance.now();
      const isAwaited =
        isSilent && !isLoading && ([...expected].some(({ untilMs }) => untilMs <= now) || isOverdue(heardMs));
      if (!isAwaited && looks <= LOOKS * (isLoading ? LOADING : 1)) return ask();
      clearInterval(timer);
      onStill(now - heardMs);
    },
    Math.min(LOOK_MS, stillMs / LOOKS),
  );
  timer.unref();
  return {
    heard() {
      looks = 0;
      isLoading = false;
      heardMs = performance.now();
    },
    expect(withinMs) {
      const one = { untilMs: performance.now() + withinMs };
      expected.add(one);
      return () => void expected.delete(one);
    },
    close: () => clearInterval(timer),
  };
}
