// The cuts of this process's own log: which one is open, when the next is opened (for runs that ask, for memory, for later
// definitions), and how one ends: sealed once all that came into it is decided, folded and answered, then shipped.

import { setTimeout as delay } from 'node:timers/promises';
import { HeadraceError, messageOf } from '../core/index.ts';
import type { LogWriter } from '../events/index.ts';
import type { RunIdentity, StoreWriter } from '../online/index.ts';
import { readCutView } from './cut-view.ts';
import { noteFeeds } from './feed-cuts.ts';
import { walkFeeds } from './feed-walk.ts';
import type { FirstCuts } from './first-cuts.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { createOpenCut, type OpenCut } from './open-cut.ts';
import { publishSchemas } from './publish-schemas.ts';
import type { PushedCount } from './pushed-count.ts';
import type { Shipping } from './shipping.ts';
import type { SourcePlans } from './source-plan.ts';

export interface Cuts {
  /** The one that the log puts entries into at a call of this moment. */
  readonly current: OpenCut;
  /** Cuts that are open or about to be sealed, the newest last. */
  readonly unsealed: readonly OpenCut[];
  /** The definitions of the last cut that is open on disk. */
  readonly plans: SourcePlans;
  /** Why the store does not take the end of a sealed cut's claims: until it does, no other cut is sealed. */
  readonly failure: unknown;
  /** Whether later definitions are wanted than those of the open cut. */
  isBehind(wanted: SourcePlans): boolean;
  /** Resolves once a cut of these definitions, or of later ones, is open. */
  takeUp(wanted: SourcePlans): Promise<void>;
  /** Ends the open cut if its parts take more memory than they may; goes on by itself. */
  cutWhenLarge(): void;
  /** Ends the open cut, for the runs that ask and are not answered yet; does nothing when none does. */
  answerRuns(wanted: SourcePlans): Promise<void>;
  /** No cut is opened from now on. */
  stop(): void;
  /** Seals the last cut and ships all. */
  sealLast(): Promise<void>;
  /** Entries of an unsealed cut are void from now on; they hold no claim, and are counted no longer. */
  makeVoid(cut: number, offsets: ReadonlySet<number>): void;
  /** Gives up what is not sealed; whoever waits for a cut is let go. */
  close(): void;
}

export interface CutsContext {
  readonly deps: Pick<IngestionDeps, 'runs' | 'schemas' | 'logger' | 'limits' | 'feeds' | 'clock'>;
  readonly log: LogWriter;
  readonly store: Pick<StoreWriter, 'expire' | 'claims'>;
  readonly shipping: Shipping;
  readonly firstCuts: FirstCuts;
  readonly counted: Pick<PushedCount, 'tell' | 'takeBack'>;
  /** True once every node of the store has got again what it may have lost: then no entry becomes void any more. */
  linked(): Promise<boolean>;
}

const SEAL_RETRY_MS = 1000;
/** Of definitions that change again and again while a node of the store is away: each is one more part for a read. */
const MOST_UNSEALED = 8;

/** `first` is open in the log. */
export function createCuts(
  { deps, log, store, shipping, firstCuts, counted, linked }: CutsContext,
  first: OpenCut,
): Cuts {
  const { runs, schemas, logger, limits } = deps;
  let { plans } = first;
  let current = first;
  let unsealed: readonly OpenCut[] = [first];
  /** Whether all that were to end have: in order, one after the other. Never rejects. */
  let ending = Promise.resolve(true);
  /** Whether the claims of the last sealed cut came to have their end. */
  let ends = Promise.resolve(true);
  let endFailure: unknown;
  let tooLarge: OpenCut | undefined;
  let isStopped = false;
  let isClosed = false;
  const hanging = new Set<() => void>();

  /** Opens the next cut, and goes on with the end of the old one by itself, once those before it have ended. */
  const cut = async (next: SourcePlans, asked: readonly RunIdentity[]): Promise<void> => {
    await publishSchemas(schemas, next);
    const view = await readCutView(runs, next);
    const old = current;
    const opening = log.openCut(view);
    // Entries appended from now on are in the new cut, so from now on they are folded there.
    const opened = createOpenCut(log.writer, old.cut + 1, view, next);
    current = opened;
    unsealed = [...unsealed, opened];
    try {
      await opening;
    } catch (error) {
      // Nothing of the new cut is on disk: what was called in it failed too.
      unsealed = unsealed.filter((one) => one !== opened);
      current = old;
      throw error;
    }
    plans = next;
    // Before a run that asked is answered.
    await firstCuts.opened(opened.cut, next.live());
    ending = ending.then((isWell) => isWell && endCut(old, asked));
  };

  /** False when it is left to whoever settles. */
  const endCut = async (old: OpenCut, asked: readonly RunIdentity[]): Promise<boolean> => {
    await old.idle();
    // So that of a log whose writer died at most the last sealed cut's claims are without an end.
    if (!(await ends) || !(await seals(old))) return false;
    unsealed = unsealed.filter((one) => one !== old);
    ends = expireClaims(old);
    shipping.ship(old.cut, asked);
    return true;
  };

  // A disk that is full for a while must not end the writer.
  const seals = async (old: OpenCut): Promise<boolean> => {
    for (;;) {
      try {
        await noteFeeds(deps.feeds, { writer: log.writer, cut: old.cut }, old.feeds);
        // Whoever settles counts what is not sealed alone.
        await counted.tell();
        if (!(await linked())) return false;
        await log.seal(old.cut, old.voids);
        return true;
      } catch (error) {
        if (isClosed) return false;
        logger.warn({ writer: log.writer, reason: messageOf(error) }, 'a cut could not be sealed; trying again');
        await delay(SEAL_RETRY_MS, undefined, { ref: false });
      }
    }
  };

  // A claim without an end would be kept for ever. False when it is left to whoever settles.
  const expireClaims = async ({ claims, feeds }: OpenCut): Promise<boolean> => {
    const held = [...claims].map(([id, { offset }]) => ({ id, writer: log.writer, offset }));
    for (;;) {
      try {
        await walkFeeds(deps, store, feeds.all);
        await store.expire(held, limits.claimRetentionMs);
        if (endFailure !== undefined)
          logger.info({ writer: log.writer }, 'the claims of a sealed cut have their end now');
        endFailure = undefined;
        return true;
      } catch (error) {
        if (isClosed) return false;
        if (endFailure === undefined) {
          const fields = { writer: log.writer, reason: messageOf(error) };
          logger.warn(fields, 'the claims of a sealed cut have no end yet; trying again');
        }
        endFailure = error;
        await delay(SEAL_RETRY_MS, undefined, { ref: false });
      }
    }
  };

  // What a writer that is closed could not end, the cut before or its claims, comes first: whoever settles does both.
  const checkOpen = (): void => {
    if (!isClosed) return;
    const sentence = `writer ${log.writer} was closed before its log could be ended; whoever settles the log ends it`;
    throw new HeadraceError('HR_STOPPING', sentence);
  };

  /** Cuts are opened one at a time. */
  let turn: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };

  /**
   * The same once at most `most` cuts are not sealed, the open one among them. Not at all where one of them is left to whoever
   * settles the log: none is sealed here any more.
   */
  const onceSealed = async (most: number, work: () => Promise<void>): Promise<void> => {
    for (let isDone = false; !isDone && !isClosed; ) {
      if (unsealed.length > most && !(await ending)) return;
      await inTurn(async () => {
        if (unsealed.length > most) return;
        isDone = true;
        await work();
      });
    }
  };

  const isBehind = (wanted: SourcePlans): boolean => current.plans.generation < wanted.generation && !isStopped;

  const unanswered = async (): Promise<RunIdentity[]> =>
    (await runs.unanswered(log.writer)).filter((run) => !shipping.isAnswering(run));

  return {
    get current() {
      return current;
    },
    get unsealed() {
      return unsealed;
    },
    get plans() {
      return plans;
    },
    get failure() {
      return endFailure;
    },
    isBehind,
    async takeUp(wanted) {
      // Not once the last is sealed: its pushes may wait for a node that is away, and those of others must go on.
      while (isBehind(wanted)) {
        await onceSealed(MOST_UNSEALED, async () => {
          if (isBehind(wanted)) await cut(wanted, []);
        });
      }
    },
    cutWhenLarge() {
      if (current.table.bytes < limits.memoryBytes || current === tooLarge || isStopped) return;
      const large = current;
      tooLarge = large;
      onceSealed(1, async () => {
        if (current === large) await cut(plans, []);
      }).catch((error: unknown) => {
        tooLarge = undefined;
        logger.warn({ writer: log.writer, reason: messageOf(error) }, 'the log could not be cut; trying again');
      });
    },
    answerRuns(wanted) {
      const answered = onceSealed(1, async () => {
        if (isStopped) return;
        // Read before the boundaries are: a run that asks later asks the next cut.
        const asked = await unanswered();
        if (asked.length > 0) await cut(isBehind(wanted) ? wanted : plans, asked);
      });
      // A cut waits for the store, which a writer that is closed does no more.
      return new Promise((resolve, reject) => {
        hanging.add(resolve);
        answered.then(resolve, reject).finally(() => hanging.delete(resolve));
      });
    },
    stop() {
      isStopped = true;
    },
    makeVoid(cut, offsets) {
      const open = unsealed.find((one) => one.cut === cut);
      for (const offset of offsets) open?.makeVoid(offset);
      for (const [id, { offset, source, rows }] of open?.claims ?? []) {
        if (!offsets.has(offset)) continue;
        open?.claims.delete(id);
        counted.takeBack(source, rows);
      }
    },
    async sealLast() {
      await turn;
      await ending;
      await current.idle();
      await ends;
      checkOpen();
      await noteFeeds(deps.feeds, { writer: log.writer, cut: current.cut }, current.feeds);
      await counted.tell();
      if (!(await linked())) checkOpen();
      await log.seal(current.cut, current.voids);
      await expireClaims(current);
      checkOpen();
      shipping.ship(current.cut, []);
      await shipping.idle();
    },
    close() {
      isClosed = true;
      for (const letGo of hanging) letGo();
    },
  };
}
