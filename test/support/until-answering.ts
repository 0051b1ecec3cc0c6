// A server gives no event when it is ready: it is asked until it answers.

import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 60_000;

/** Resolves once `ask` does. Throws, and stops the server, where it ended or the time is up; `log` tells what it said. */
export async function untilAnswering(
  name: string,
  ask: () => Promise<unknown>,
  server: () => Pick<ChildProcess, 'exitCode'>,
  stop: () => Promise<void>,
  { limitMs = LIMIT_MS, log = () => '' }: { readonly limitMs?: number; readonly log?: () => string } = {},
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (server().exitCode !== null || performance.now() > giveUpAt) {
        await stop();
        throw new Error(`${name} did not start: ${String(error)}\n${log()}`, { cause: error });
      }
      await sleep(50);
    }
  }
}
