// A text that costs something to gather, asked for by every scrape.

import type { Clock, Micros } from '../core/index.ts';

/** Gathers it anew where it is older than that; one that failed is asked for again. */
export function keepText(clock: Clock, forMicros: Micros, gather: () => Promise<string>): () => Promise<string> {
  let known: { readonly at: Micros; readonly text: Promise<string> } | undefined;
  return () => {
    const at = clock.nowMicros();
    if (known === undefined || Math.abs(at - known.at) > forMicros) {
      const text = gather();
      known = { at, text };
      text.catch(() => (known = undefined));
    }
    return known.text;
  };
}
