// How long a call may take, and who ended it: its deadline, or the caller's signal.

export interface CallClock {
  readonly signal: AbortSignal;
  /** Who ended the call, once somebody did. */
  end(): CallEnd | undefined;
  /** The promise's own end, or the call's, whichever is first: then it rejects. */
  within<T>(work: Promise<T>): Promise<T>;
  stop(): void;
}

export interface CallEnd {
  readonly by: 'caller' | 'deadline';
  /** Of the caller's signal. */
  readonly reason: unknown;
}

/** Goes until `stop`. */
export function startCallClock(timeoutMs: number, caller: AbortSignal | undefined): CallClock {
  const controller = new AbortController();
  const { signal } = controller;
  let ended: CallEnd | undefined;
  const endBy = (by: CallEnd['by']): void => {
    ended ??= { by, reason: caller?.reason };
    controller.abort();
  };
  const cancelled = (): void => endBy('caller');
  const timer = setTimeout(() => endBy('deadline'), timeoutMs);
  if (caller?.aborted === true) cancelled();
  else caller?.addEventListener('abort', cancelled, { once: true });
  return {
    signal,
    end: () => ended,
    within: (work) =>
      new Promise((resolve, reject) => {
        const end = (): void => reject(signal.reason as Error);
        if (signal.aborted) end();
        else signal.addEventListener('abort', end, { once: true });
        work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
      }),
    stop() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', cancelled);
    },
  };
}
