// When an alert opens and closes: after so many windows running, so that one odd window tells nobody anything.

export interface Standing {
  readonly state: 'pending' | 'open';
  /** Firing windows running while pending, quiet ones while open. */
  readonly streak: number;
}

export interface Patience {
  /** Firing windows running until it opens, and quiet ones until it closes; at least 1. */
  readonly opensAfter: number;
  readonly closesAfter: number;
}

export interface Advanced {
  /** Undefined once it is closed. */
  readonly standing: Standing | undefined;
  readonly event: 'opened' | 'closed' | undefined;
}

/** A window without data is not asked here: it neither counts nor breaks a run. */
export function advance(
  { state, streak }: Standing,
  observed: 'firing' | 'between' | 'ok',
  { opensAfter, closesAfter }: Patience,
): Advanced {
  if (state === 'pending') {
    if (observed !== 'firing') return { standing: { state, streak: 0 }, event: undefined };
    return streak + 1 >= opensAfter
      ? { standing: { state: 'open', streak: 0 }, event: 'opened' }
      : { standing: { state, streak: streak + 1 }, event: undefined };
  }
  if (observed !== 'ok') return { standing: { state, streak: 0 }, event: undefined };
  return streak + 1 >= closesAfter
    ? { standing: undefined, event: 'closed' }
    : { standing: { state, streak: streak + 1 }, event: undefined };
}
