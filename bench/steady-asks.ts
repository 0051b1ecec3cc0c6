// Units that ask at a steady rate, and whose arm each answer was, failures too.

export interface Answer {
  readonly unit: string;
  readonly sentMs: number;
  readonly endedMs: number;
  readonly tookMs: number;
  /** It was for the version that hurts to answer, and the base did not stand in. */
  readonly isCandidate: boolean;
  readonly failed: boolean;
}

export interface Asks {
  elapsedMs(): number;
  /** What is answered from now on, as it comes. */
  follow(): readonly Answer[];
  unfollow(): void;
  stop(): Promise<void>;
}

export interface SteadyAsks {
  readonly perSecond: number;
  /** The version that is not to be told of. */
  readonly stable: number;
  /** At this stable never fails. */
  readonly harmless: number;
  readonly drawValue: () => number;
}

/**
 * Each unit asks twice: for what is harmless, which tells whose it is, and then for what is drawn. Units come at their times,
 * however long the answers take.
 */
export function askSteadily(url: string, { perSecond, stable, harmless, drawValue }: SteadyAsks): Asks {
  const startMs = performance.now();
  const running = new Set<Promise<void>>();
  let followed: Answer[] | undefined;
  let units = 0;
  const tell = (answer: Answer): void => void followed?.push(answer);
  const ask = async (): Promise<void> => {
    const unit = `u${units++}`;
    const first = await predict({ url, unit, x: harmless, stable }, undefined);
    tell(first);
    tell(await predict({ url, unit, x: drawValue(), stable }, first.isCandidate));
  };
  const asking = setInterval(() => {
    for (; units < ((performance.now() - startMs) / 1000) * perSecond; ) {
      const run = ask().finally(() => running.delete(run));
      running.add(run);
    }
  }, 5);
  return {
    elapsedMs: () => performance.now() - startMs,
    follow: () => (followed = []),
    unfollow: () => (followed = undefined),
    async stop() {
      clearInterval(asking);
      await Promise.allSettled(running);
    },
  };
}

/** `wasCandidate`: whose the unit was a moment ago, for answers that don't say. */
async function predict(
  {
    url,
    unit,
    x,
    stable,
  }: { readonly url: string; readonly unit: string; readonly x: number; readonly stable: number },
  wasCandidate: boolean | undefined,
): Promise<Answer> {
  const sentMs = performance.now();
  const response = await fetch(`${url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    // A connection each: kept ones would leave one worker nearly all requests, and the other too few to judge by.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ inputs: [{ x, unit }] }),
  });
  const { predictions } = (await response.json()) as { readonly predictions?: readonly { readonly version: number }[] };
  const endedMs = performance.now();
  const version = predictions?.[0]?.version;
  const isCandidate = version === undefined ? (wasCandidate ?? true) : version !== stable;
  return { unit, sentMs, endedMs, tookMs: endedMs - sentMs, isCandidate, failed: version === undefined };
}
