// Claims of Idempotency-Keys, many in one round trip: what came while the last was on its way goes together.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf, sha256Hex } from '../core/index.ts';
import type { LogEntry } from '../events/index.ts';
import type { Claim, StoreWriter } from '../online/index.ts';

export interface ClaimDesk {
  /** Resolves with the claim that holds the key from now on, once the store answers. */
  claim(claim: Claim): Promise<Claim>;
  /** Keeps the results; resolves once they are there. */
  finish(claim: Claim): Promise<void>;
  /** Why the store did not take the last ones; undefined when it did. */
  readonly failure: unknown;
  close(): void;
}

const RETRY_MS = 100;
/** Claims in one round trip. */
const TOGETHER = 1000;

export function createClaimDesk(store: Pick<StoreWriter, 'claim' | 'finish'>, logger: Logger): ClaimDesk {
  const gate: Gate = { isClosed: false, failure: undefined, logger };
  const claims = createBatches<Claim, Claim>((batch) => store.claim(batch), gate);
  const results = createBatches<Claim, void>(async (batch) => {
    await store.finish(batch);
    return batch.map(() => undefined);
  }, gate);
  return {
    claim: claims,
    finish: results,
    get failure() {
      return gate.failure;
    },
    close() {
      gate.isClosed = true;
    },
  };
}

/** The claim that an entry with a key makes. */
export function claimOf(entry: LogEntry): Claim | undefined {
  if (entry.key === undefined) return undefined;
  return {
    id: sha256Hex(JSON.stringify([entry.source, entry.key.key])),
    writer: entry.writer,
    offset: entry.offset,
    payloadHash: entry.key.hash,
  };
}

/** Claims again, for entries that were found to hold their claims, what a store may have lost; others' stay theirs. */
export function claimAgain(store: Pick<StoreWriter, 'claim'>, claims: readonly Claim[]): Promise<void> {
  return inTurn(claims, (some) => store.claim(some.map(withoutResult)));
}

/** Keeps the claims' results where they are held. */
export function finishAgain(store: Pick<StoreWriter, 'finish'>, claims: readonly Claim[]): Promise<void> {
  return inTurn(claims, (some) => store.finish(some));
}

function withoutResult({ id, writer, offset, payloadHash }: Claim): Claim {
  return { id, writer, offset, payloadHash };
}

async function inTurn(claims: readonly Claim[], work: (some: readonly Claim[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < claims.length; from += TOGETHER) await work(claims.slice(from, from + TOGETHER));
}

/** What claims and results share. */
interface Gate {
  isClosed: boolean;
  failure: unknown;
  readonly logger: Logger;
}

// Tries again for as long as the store is away: an entry must come to be decided.
function createBatches<In, Out>(
  work: (batch: readonly In[]) => Promise<readonly Out[]>,
  gate: Gate,
): (item: In) => Promise<Out> {
  let waiting: { readonly item: In; readonly done: (result: Out) => void }[] = [];
  let isRunning = false;
  const loop = async (): Promise<void> => {
    await new Promise(setImmediate);
    while (waiting.length > 0 && !gate.isClosed) {
      const taken = waiting.slice(0, TOGETHER);
      waiting = waiting.slice(TOGETHER);
      try {
        const results = await work(taken.map(({ item }) => item));
        gate.failure = undefined;
        taken.forEach(({ done }, i) => done(results[i] as Out));
      } catch (error) {
        if (gate.failure === undefined)
          gate.logger.warn({ reason: messageOf(error) }, 'the online store takes no Idempotency-Keys; trying again');
        gate.failure = error;
        waiting = [...taken, ...waiting];
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
    isRunning = false;
  };
  return (item) =>
    new Promise<Out>((done) => {
      waiting.push({ item, done });
      if (isRunning) return;
      isRunning = true;
      void loop();
    });
}
