// Ids of predictions: unique over processes and restarts, short, and made without asking for randomness each time.

import { randomBytes } from 'node:crypto';

/** A source of ids: the process's own random prefix and a counter. */
export function createPredictionIds(prefix: string = randomBytes(9).toString('base64url')): () => string {
  let count = 0;
  return () => `${prefix}-${(count++).toString(36)}`;
}
