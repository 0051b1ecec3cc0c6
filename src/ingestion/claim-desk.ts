// Claims of Idempotency-Keys, many in one round trip: what came while the last was on its way goes together, to each node
// of the store by itself, so that none waits for another's.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf, sha256Hex } from '../core/index.ts';
import type { LogEntry } from '../events/index.ts';
import type { Claim, StoreWriter } from '../online/index.ts';
import { nodeOrUnknown } from './node-lane.ts';

export interface ClaimDesk {
  /** Resolves with the claim that holds the key from now on, once the store answers. */
  claim(claim: Claim): Promise<Claim>;
  /** Keeps the results; resolves once they are there. */
  finish(claim: Claim): Promise<void>;
  /** Why a node of the store did not take the last ones; undefined when all did. */
  readonly failure: unknown;
  close(): void;
}

const RETRY_MS = 100;
/** Claims in one round trip. */
const TOGETHER = 1000;

export function createClaimDesk(
  store: Pick<StoreWriter, 'claim' | 'finish' | 'nodeOfClaim'>,
  logger: Logger,
): ClaimDesk {
  const nodeOf = ({ id }: Claim): string => nodeOrUnknown(() => store.nodeOfClaim(id));
  const gate: Gate = { isClosed: false, failures: new Map(), nodeOf, logger };
  return {
    claim: createBatches<Claim>((batch) => store.claim(batch), gate),
    finish: createBatches<void>(async (batch) => {
      await store.finish(batch);
      return batch.map(() => undefined);
    }, gate),
    get failure() {
      return gate.failures.values().next().value;
    },
    close() {
      gate.isClosed = true;
    },
  };
}

/** Of a key, which is a source's own. */
export function claimId(source: string, key: string): string {
  return sha256Hex(JSON.stringify([source, key]));
}

/** The claim that an entry with a key makes. */
export function claimOf(entry: LogEntry): Claim | undefined {
  if (entry.key === undefined) return undefined;
  return {
    id: claimId(entry.source, entry.key.key),
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
  /** Why a node took nothing the last time. */
  readonly failures: Map<string, unknown>;
  nodeOf(claim: Claim): string;
  readonly logger: Logger;
}

interface Waiting<Out> {
  readonly claim: Claim;
  readonly done: (result: Out) => void;
}

interface Lane<Out> {
  waiting: Waiting<Out>[];
  isRunning: boolean;
}

// Tries again for as long as the store is away: an entry must come to be decided.
function createBatches<Out>(
  work: (batch: readonly Claim[]) => Promise<readonly Out[]>,
  gate: Gate,
): (claim: Claim) => Promise<Out> {
  const lanes = new Map<string, Lane<Out>>();

  const put = (one: Waiting<Out>): void => {
    const node = gate.nodeOf(one.claim);
    let lane = lanes.get(node);
    if (lane === undefined) lanes.set(node, (lane = { waiting: [], isRunning: false }));
    lane.waiting.push(one);
    if (!lane.isRunning) void loop(node, lane);
  };

  const loop = async (node: string, lane: Lane<Out>): Promise<void> => {
    lane.isRunning = true;
    await new Promise(setImmediate);
    while (lane.waiting.length > 0 && !gate.isClosed) {
      const taken = lane.waiting.slice(0, TOGETHER);
      lane.waiting = lane.waiting.slice(TOGETHER);
      try {
        const results = await work(taken.map(({ claim }) => claim));
        gate.failures.delete(node);
        taken.forEach(({ done }, i) => done(results[i] as Out));
      } catch (error) {
        if (!gate.failures.has(node)) {
          const fields = { node, reason: messageOf(error) };
          gate.logger.warn(fields, 'the online store takes no Idempotency-Keys; trying again');
        }
        gate.failures.set(node, error);
        await delay(RETRY_MS, undefined, { ref: false });
        // Another node may have them by now.
        taken.forEach(put);
      }
    }
    // Nothing waits for the node: where it took nothing, all of it went to others.
    gate.failures.delete(node);
    lane.isRunning = false;
  };

  return (claim) => new Promise<Out>((done) => put({ claim, done }));
}
