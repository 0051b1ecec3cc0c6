// A dead writer's log brought to its end by whoever holds its lock: keyed entries that don't hold their claim are void,
// the parts are written, the cuts sealed and shipped. It is held on until every node's mark covers it: a node that fails
// over meanwhile gets its parts again; should the settler die too, the next one settles again.

import { messageOf } from '../core/index.ts';
import type { CutRecord, LogEntry, LogWriter } from '../events/index.ts';
import { type Claim, type ClaimPlace, holdsClaim, numberBefore, type StoreWriter } from '../online/index.ts';
import { claimOf } from './claim-desk.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { createFeedSet, type FeedId, feedOf, type FeedPart, type FeedSet, partOfStep } from './feed-key.ts';
import { noteFeeds } from './feed-cuts.ts';
import type { FeedTable } from './feed-table.ts';
import { walkFeeds } from './feed-walk.ts';
import { createPartWriter, type PartWriter } from './part-writer.ts';
import { publishSchemas } from './publish-schemas.ts';
import { tellPushed } from './pushed-count.ts';
import { isCoveredEverywhere, readMarks, refoldCut } from './refold.ts';
import { createRelinks } from './relink.ts';
import type { SourcePlans } from './source-plan.ts';

export interface SettledLog {
  readonly writer: number;
  /**
   * Ends what is not ended yet (the object store may have been away). True once every node's mark covers the log: then
   * it is removed from this machine.
   */
  isDone(plans: SourcePlans): Promise<boolean>;
  close(): Promise<void>;
}

/** Claims looked up in one round trip. */
const CLAIMS = 1000;

/**
 * Resolves once all that the dead writer acknowledged can be read. Throws what the store, the log or the registry say;
 * a store that takes nothing for `limits.timeoutMs` is not waited for longer.
 */
export async function settleLog(deps: IngestionDeps, log: LogWriter, plans: SourcePlans): Promise<SettledLog> {
  const { logger, runs } = deps;
  // Before anything is looked at: a claim of the dead writer that is still on its way must not come later.
  await deps.store.fenceWriter(log.writer, log.holder);
  let latest = plans;
  let linked: ((node: string) => void) | undefined;
  const store = await deps.store.writer({
    writer: log.writer,
    holder: log.holder,
    owner: { registry: await runs.registry(), token: log.token },
    lifetimeMs: (entity) => latest.lifetimeMs(entity),
    onNode: (node) => linked?.(node),
  });
  const parts = replacing(
    createPartWriter(store, log, logger, { giveUpMs: deps.limits.timeoutMs, clock: deps.clock }),
    store,
    log,
  );
  /** Void entries of cuts that the dead left unsealed, once they are found. */
  const decided = new Map<number, Set<number>>();
  const makeVoid = (cut: number, offsets: ReadonlySet<number>): void => {
    for (const offset of offsets) decided.get(cut)?.add(offset);
  };
  // From now on, again whenever a node is connected anew.
  const relinks = createRelinks({
    deps,
    log,
    parts,
    store,
    plans: () => latest,
    unsealed: () => [],
    voidsOf: ({ cut, voids }) => voids ?? decided.get(cut),
    makeVoid,
  });
  linked = relinks.link;
  const close = async (): Promise<void> => {
    relinks.close();
    parts.close();
    await store.close();
    await log.close();
  };

  /** Cuts that the dead left unsealed, with their void entries and the claims that the others hold. */
  let unsealed: readonly UnsealedCut[] = [];
  let lastSealed = 0;
  /** The cut that was sealed last before this settlement, until its claims have their end for sure. */
  let withoutEnd: number | undefined;
  let isEnded = false;
  const end = async (): Promise<void> => {
    if (withoutEnd !== undefined) await expireHeld(deps, log, store, withoutEnd);
    withoutEnd = undefined;
    while (unsealed[0] !== undefined) {
      const { cut, voids, claims, feeds } = unsealed[0];
      if (cut > lastSealed) {
        await noteFeeds(deps.feeds, { writer: log.writer, cut }, feeds);
        // A node that was lost since may come back without claims of these, and others may hold them by then.
        if (!(await relinks.isLinked())) throw new Error('a node of the online store is being linked again');
        await tellPushed(deps.pushed, log, { cut, voids });
        await log.seal(cut, [...voids]);
      }
      lastSealed = cut;
      await walkFeeds(deps, store, feeds.all);
      // Before the next is sealed: of a settler that dies here only the last sealed cut's claims are without an end.
      await store.expire(claims, deps.limits.claimRetentionMs);
      unsealed = unsealed.slice(1);
    }
    await log.ship();
    await log.finish();
    isEnded = true;
    logger.info({ writer: log.writer }, 'the log of a writer that is gone was settled');
  };

  try {
    await publishSchemas(deps.schemas, plans);
    await takeCount(deps, log);
    const records = await log.cuts();
    const nodes = await readMarks(deps.store, runs, plans);
    const sealed = records.findLast(({ voids }) => voids !== undefined);
    lastSealed = sealed?.cut ?? 0;
    // Whoever sealed it may have come no further. Left to `end`: it is read from the object store, which may be away, and
    // what was pushed after it must be seen all the same.
    withoutEnd = sealed?.cut;
    for (const record of records) {
      const feeds = createFeedSet();
      const voids = record.voids ?? (await findVoids(deps.feeds, log, store, record, feeds));
      const { cut, view } = record;
      const isSealed = record.voids !== undefined;
      // A node that is connected anew from here on gets it again.
      const known = new Set(voids);
      decided.set(cut, known);
      const counts = (entry: LogEntry): boolean => !known.has(entry.offset);
      const more = isSealed ? {} : { makeVoid: (lost: ReadonlySet<number>) => makeVoid(cut, lost) };
      const own = { cut, view, isSealed, counts, ...more };
      const claims = await refoldCut({ deps, plans, log, parts, store }, own, nodes);
      if (!isSealed) unsealed = [...unsealed, { cut, voids: known, claims: claims.map(placeOf), feeds }];
      else if (cut !== lastSealed) await store.expire(claims, deps.limits.claimRetentionMs);
    }
    const last = records.at(-1)?.cut ?? 0;
    await end().catch((error: unknown) =>
      logger.warn(
        { writer: log.writer, reason: messageOf(error) },
        'a settled log could not be ended yet; trying again',
      ),
    );

    return {
      writer: log.writer,
      async isDone(current) {
        latest = current;
        // Again where it has ended: the registry may have lost its row with its last commits.
        if (isEnded) await log.finish();
        else await end();
        if (!isCoveredEverywhere(await readMarks(deps.store, runs, current), current, log.writer, last)) return false;
        await log.end();
        return true;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The rows that a log's writer counted under its former number, unless another has that: then they are that one's. */
async function takeCount({ log, pushed }: IngestionDeps, { writer, formerly }: LogWriter): Promise<void> {
  if (pushed === undefined || formerly === undefined) return;
  const isAnothers = (await log.writers()).some(({ number }) => number === formerly);
  if (!isAnothers) await pushed.move(formerly, writer);
}

/** Writes parts as `parts` does, in place of those that the log wrote while it had another number. */
function replacing(
  parts: PartWriter,
  store: Pick<StoreWriter, 'withdraw'>,
  { formerly, holder, token }: Pick<LogWriter, 'formerly' | 'holder' | 'token'>,
): PartWriter {
  if (formerly === undefined) return parts;
  const n = numberBefore(token);
  return {
    async write(given) {
      const all = [...given];
      // Only parts that were folded are written.
      await store.withdraw(
        all.map((part) => ({ ...part, writer: formerly, fold: part.fold as Uint8Array, holder, n })),
      );
      await parts.write(all);
    },
    get failure() {
      return parts.failure;
    },
    close: () => parts.close(),
  };
}

interface UnsealedCut {
  readonly cut: number;
  readonly voids: ReadonlySet<number>;
  readonly claims: readonly ClaimPlace[];
  /** Those that its entries are batches of. */
  readonly feeds: FeedSet;
}

// Without the results: they are large, and written by now.
function placeOf({ id, writer, offset }: Claim): ClaimPlace {
  return { id, writer, offset };
}

/**
 * Of an unsealed cut. Nothing is claimed for pushes with a key: a retry elsewhere may be about to win. A batch of a feed has
 * none who is told otherwise: one that nobody has claimed is, for a store that lost its claims has lost this one too, and
 * nobody may come to read the feed's place again. Not where a sealed cut has a batch of that place: its claim is forgotten.
 */
async function findVoids(
  feedTable: FeedTable | undefined,
  log: LogWriter,
  store: Pick<StoreWriter, 'claim' | 'claims'>,
  { cut }: CutRecord,
  feeds: FeedSet,
): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  for await (const keyed of keyedEntries(log, cut, feeds)) {
    const claims = await store.claims(keyed.map(({ claim }) => claim.id));
    for (const [i, { claim, batch }] of keyed.entries()) {
      let holding = claims[i];
      if (holding === undefined && batch !== undefined) {
        const isTaken = await feedTable?.isNoted(batch.feed, batch.part.first, { writer: log.writer, cut });
        if (isTaken === false) [holding] = await store.claim([claim]);
      }
      if (!holdsClaim(claim, holding)) found.add(claim.offset);
      else if (batch !== undefined) feeds.add(batch.feed, batch.part);
    }
  }
  return found;
}

/** Sets the end of the claims that a cut's entries hold, also where no mark is behind it. */
async function expireHeld(
  deps: Pick<IngestionDeps, 'feeds' | 'clock' | 'limits'>,
  log: LogWriter,
  store: Pick<StoreWriter, 'claims' | 'expire'>,
  cut: number,
): Promise<void> {
  const feeds = createFeedSet();
  // All of it first: a batch of a feed may lie anywhere in the cut.
  for await (const _ of keyedEntries(log, cut, feeds));
  await walkFeeds(deps, store, feeds.all);
  for await (const keyed of keyedEntries(log, cut, feeds)) {
    const claims = keyed.map(({ claim }) => claim);
    await store.expire(claims, deps.limits.claimRetentionMs);
  }
}

interface KeyedEntry {
  readonly claim: Claim;
  /** Of a feed. */
  readonly batch: { readonly feed: FeedId; readonly part: FeedPart } | undefined;
}

/** The claims that a cut's entries made or would make, as many together as go in one round trip; adds their feeds. */
async function* keyedEntries(log: LogWriter, cut: number, feeds: FeedSet): AsyncGenerator<readonly KeyedEntry[]> {
  let keyed: KeyedEntry[] = [];
  for await (const entry of log.entries(cut, cut)) {
    const claim = claimOf(entry);
    if (claim === undefined) continue;
    const feed = feedOf(entry);
    const batch = feed === undefined || entry.key === undefined ? undefined : { feed, part: partOfStep(entry.key) };
    keyed.push({ claim, batch });
    if (feed !== undefined) feeds.add(feed);
    if (keyed.length < CLAIMS) continue;
    yield keyed;
    keyed = [];
  }
  if (keyed.length > 0) yield keyed;
}
