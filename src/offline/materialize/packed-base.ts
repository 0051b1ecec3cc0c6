// A key's base on its way to the store.

import type { EncodedKey } from '../../core/index.ts';

export interface PackedBase {
  readonly key: EncodedKey;
  readonly base: Uint8Array;
  /** Whether covered parts may lie with the key: the store is asked which. */
  readonly isPushed: boolean;
  /** From the run's time to when the last fact that it carries is known; left out for none. */
  readonly waitsMs?: number;
}

/** Takes bases, each key once; resolves when more may come. */
export type BaseSink = (bases: readonly PackedBase[]) => Promise<void>;
