// What starting leaves behind, given back before the first request: reading definitions, compiling and importing fill a
// young heap that V8 otherwise keeps at its full size for as long as little happens.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { messageOf } from '../core/index.ts';
import type { Logger } from '../core/index.ts';

type CollectGarbage = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** Blocks the thread for some tens of milliseconds: before listening only. */
export function releaseStartMemory(logger: Logger): void {
  try {
    // V8 hands its collector only to contexts that are made after the flag.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as CollectGarbage;
    setFlagsFromString('--no-expose-gc');
    // Of its kinds this one alone makes the young heap small again.
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  } catch (thrown) {
    // A saving, nothing more.
    logger.debug({ reason: messageOf(thrown) }, 'memory was not given back after the start');
  }
}
