// Claims of Idempotency-Keys, many in one round trip: what came while the last was on its way goes together, to each node
// of the store by itself, so that none waits for another's. A round trip that takes long has others beside it.

import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf, sha256Hex, within } from '../core/index.ts';
import type { LogEntry } from '../events/index.ts';
import { type Claim, type ClaimPlace, type Durable, NotDurable, type StoreWriter } from '../online/index.ts';
import { nodeOrUnknown } from './node-lane.ts';

export interface ClaimDesk {
  /** Resolves with the claim that holds the key from now on, once the store answers. Throws NotDurable: then release it. */
  claim(claim: Claim): Promise<GrantedClaim>;
  /** Keeps the results; resolves once they are there. */
  finish(claim: Claim): Promise<void>;
  /** Gives up what was not durable; resolves once the store has that. */
  release(claim: ClaimPlace): Promise<void>;
  /** Why a node of the store did not take the last ones; undefined when all did. */
  readonly failure: unknown;
  close(): void;
}

export interface GrantedClaim {
  readonly holding: Claim;
  readonly durable: Durable;
}

const RETRY_MS = 100;
/** After so long the next round trip begins beside one that is not back. */
const OVERLAP_MS = 50;
/** Claims in one round trip. */
const TOGETHER = 1000;

export function createClaimDesk(
  store: Pick<StoreWriter, 'claim' | 'finish' | 'release' | 'nodeOfClaim'>,
  logger: Logger,
): ClaimDesk {
  const nodeOf = ({ id }: ClaimPlace): string => nodeOrUnknown(() => store.nodeOfClaim(id));
  const gate: Gate = { isClosed: false, failures: new Map(), nodeOf, logger };
  return {
    claim: createBatches<Claim, GrantedClaim>(async (batch) => {
      const durable: Durable[] = [];
      const holding = await store.claim(batch, (index, one) => (durable[index] = one));
      return holding.map((one, index) => ({ holding: one, durable: durable[index] as Durable }));
    }, gate),
    finish: createBatches<Claim, undefined>(async (batch) => {
      await store.finish(batch);
      return batch.map(() => undefined);
    }, gate),
    release: createBatches<ClaimPlace, undefined>(async (batch) => {
      await store.release(batch);
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
    writer: entry.claimedBy ?? entry.writer,
    offset: entry.offset,
    payloadHash: entry.key.hash,
  };
}

/**
 * Claims again, for entries that were found to hold their claims, what a store may have lost; gives who holds each, for
 * what another took meanwhile stays that one's.
 */
export async function claimAgain(
  store: Pick<StoreWriter, 'claim'>,
  claims: readonly Claim[],
): Promise<readonly Claim[]> {
  const holding: Claim[] = [];
  await inTurn(claims, async (some) => void holding.push(...(await store.claim(some.map(withoutResult)))));
  return holding;
}

/** Keeps the claims' results where they are held. */
export function finishAgain(store: Pick<StoreWriter, 'finish'>, claims: readonly Claim[]): Promise<void> {
  return inTurn(claims, (some) => store.finish(some));
}

function withoutResult({ id, writer, offset, payloadHash }: Claim): Claim {
  return { id, writer, offset, payloadHash };
}

/** As many together as go in one round trip. */
export async function inTurn<T>(claims: readonly T[], work: (some: readonly T[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < claims.length; from += TOGETHER) await work(claims.slice(from, from + TOGETHER));
}

/** What claims and results share. */
interface Gate {
  isClosed: boolean;
  /** Why a node took nothing the last time. */
  readonly failures: Map<string, unknown>;
  nodeOf(claim: ClaimPlace): string;
  readonly logger: Logger;
}

interface Waiting<In, Out> {
  readonly claim: In;
  readonly done: (result: Out) => void;
  readonly failed: (why: NotDurable) => void;
}

interface Lane<In, Out> {
  waiting: Waiting<In, Out>[];
  isRunning: boolean;
  /** Round trips. */
  underWay: number;
}

// Tries again for as long as the store is away: an entry must come to be decided. One whose claim the store took and can't
// keep is decided by that.
function createBatches<In extends ClaimPlace, Out>(
  work: (batch: readonly In[]) => Promise<readonly Out[]>,
  gate: Gate,
): (claim: In) => Promise<Out> {
  const lanes = new Map<string, Lane<In, Out>>();

  const put = (one: Waiting<In, Out>): void => {
    const node = gate.nodeOf(one.claim);
    let lane = lanes.get(node);
    if (lane === undefined) lanes.set(node, (lane = { waiting: [], isRunning: false, underWay: 0 }));
    lane.waiting.push(one);
    if (!lane.isRunning) void loop(node, lane);
  };

  const loop = async (node: string, lane: Lane<In, Out>): Promise<void> => {
    lane.isRunning = true;
    await new Promise(setImmediate);
    while (lane.waiting.length > 0 && !gate.isClosed) {
      const taken = lane.waiting.slice(0, TOGETHER);
      lane.waiting = lane.waiting.slice(TOGETHER);
      // A disk may take a second for these: what comes meanwhile doesn't wait for them.
      await within(send(node, lane, taken), OVERLAP_MS);
    }
    lane.isRunning = false;
  };

  /** Never rejects. */
  const send = async (node: string, lane: Lane<In, Out>, taken: readonly Waiting<In, Out>[]): Promise<void> => {
    lane.underWay++;
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
      if (error instanceof NotDurable) {
        for (const { failed } of taken) failed(error);
      } else {
        await delay(RETRY_MS, undefined, { ref: false });
        // Another node may have them by now.
        taken.forEach(put);
      }
    }
    lane.underWay--;
    // Nothing waits for the node: where it took nothing, all of it went to others, or was given up.
    if (lane.waiting.length === 0 && lane.underWay === 0) gate.failures.delete(node);
  };

  return (claim) => new Promise<Out>((done, failed) => put({ claim, done, failed }));
}
