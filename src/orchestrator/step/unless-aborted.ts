// Waiting that a signal ends, whatever becomes of the work.

/** Undefined where it is aborted first. */
export async function unlessAborted<R>(work: Promise<R>, signal: AbortSignal): Promise<R | undefined> {
  work.catch(() => {}); // told to whoever waits for it
  return await new Promise((resolve, reject) => {
    const abort = (): void => resolve(undefined);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
