// A sign of life while a Python environment is built: pip may take minutes, and says nothing until it is done.

export interface EnvironmentBuild {
  /** The name of its requirements file, or its packages. */
  readonly of: string;
  /** `waits`: another process builds it. `done`: it is there, whoever built it. */
  readonly state: 'waits' | 'builds' | 'done' | 'failed';
  /** Since it was wanted. */
  readonly seconds: number;
}

export interface BuildTeller {
  /** No other process builds it. */
  begins(): void;
  /** Tells nothing any more. */
  ends(state: 'done' | 'failed'): void;
}

export const TELL_EVERY_MS = 30_000;

/** Tells as it begins and ends, and every so often in between; of what another process has built in a moment nothing. */
export function tellBuild(of: string, tell: (build: EnvironmentBuild) => void, everyMs = TELL_EVERY_MS): BuildTeller {
  const wantedMs = performance.now();
  let state: EnvironmentBuild['state'] = 'waits';
  let isTold = false;
  const tellNow = (): void => {
    isTold = true;
    tell({ of, state, seconds: (performance.now() - wantedMs) / 1000 });
  };
  const timer = setInterval(tellNow, everyMs);
  timer.unref();
  return {
    begins() {
      state = 'builds';
      tellNow();
    },
    ends(how) {
      clearInterval(timer);
      state = how;
      if (isTold) tellNow();
    },
  };
}
