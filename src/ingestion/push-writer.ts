// This process's own writer: a push from row to log to every live view of its source. The steps and their order are those
// of docs/adr/0005: logged, claimed, folded, written, answered.

import type { BrokenRule } from '../checks/index.ts';
import { HeadraceError, messageOf, type Micros, type Row } from '../core/index.ts';
import type { IdempotencyKey, LogEntry } from '../events/index.ts';
import { holdsClaim } from '../online/index.ts';
import { claimOf, createClaimDesk } from './claim-desk.ts';
import { createCuts, type Cuts } from './cuts.ts';
import { endedWithin } from './ended-within.ts';
import { createFirstCuts } from './first-cuts.ts';
import { type FeedId, feedOf, type FeedStep, partOfStep } from './feed-key.ts';
import { walkFeed } from './feed-walk.ts';
import { foldEntry, type LensRows } from './fold-entry.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { createOpenCut, heldBy, type OpenCut } from './open-cut.ts';
import { knownOf } from './known-time.ts';
import { checkDerivedTimes, withoutFarTimes } from './parse-push.ts';
import { openLog } from './open-log.ts';
import { createPartWriter, numberTaken } from './part-writer.ts';
import { createMove, type Receiver } from './move-entries.ts';
import { createPatience, unavailable } from './patience.ts';
import { type CheckedPush, checkPush } from './push-checks.ts';
import { createPushedCount } from './pushed-count.ts';
import { createKeyDecisions } from './key-decisions.ts';
import { LOGGED, type PushResult } from './push-result.ts';
import { findRepeat, otherRows, repeatOf, secondOf } from './repeat.ts';
import { createRelinks } from './relink.ts';
import { isCoveredEverywhere, readMarks, resultOf } from './refold.ts';
import { letOthersGo, withApart, withoutRows } from './set-apart.ts';
import { createShipping } from './shipping.ts';
import type { Lens, SourcePlan, SourcePlans } from './source-plan.ts';

export interface PushWriter {
  readonly writer: number;
  /** Undefined when later definitions than `plans` are in force by now: nothing was logged, parse it by those. */
  push(plans: SourcePlans, source: string, pushed: NewPush): Promise<PushResult | undefined>;
  /** What came of the push that holds the key, where that had these rows; undefined else. Throws as a repeated push does. */
  repeat(source: string, key: IdempotencyKey, count: number): Promise<PushResult | undefined>;
  /** Where the feed's next batch begins; undefined before it began. */
  feedPosition(feed: FeedId): Promise<number | undefined>;
  /** Its log's, as the registry has them. */
  readonly token: string;
  readonly holder: number;
  /** Resolves once the store has refused its parts: then it takes nothing more. */
  readonly refused: Promise<void>;
  /** Counts here what a writer took that was refused. Where it throws, it may be called again. */
  takeOver(former: PushWriter): Promise<void>;
  /** Of a refused writer: resolves once nothing of it is under way. */
  idle(): Promise<void>;
  /** Of a refused writer that is idle: moves what it took of unsealed cuts. */
  move(to: Receiver): Promise<void>;
  /** Reports to the registry that the writer lives. Throws HR_CONFLICT when it was forgotten: open another. */
  touch(): Promise<void>;
  /** Ends the open cut, for the runs that ask and are not answered yet; does nothing when none does. */
  answerRuns(plans: SourcePlans): Promise<void>;
  status(): WriterStatus;
  /** Seals, ships and ends; what can't be ended within `limitMs` is left for whoever settles it: with 0 all of it. */
  close(limitMs: number): Promise<void>;
}

export interface NewPush {
  readonly rows: readonly Row[];
  readonly keyed?: IdempotencyKey | undefined;
  /** Of a feed, whose key `keyed` is. */
  readonly step?: FeedStep | undefined;
  /** They were set apart and are pushed again: they are not set apart now, and were not known before. */
  readonly isPutBack?: boolean | undefined;
}

export interface WriterStatus {
  readonly writer: number;
  readonly cut: number;
  /** Pushes that are logged and not answered yet. */
  readonly pending: number;
  readonly parts: number;
  readonly partBytes: number;
  /** Why the store or the object store does not take what waits; null when they do. */
  readonly storeFailure: string | null;
  readonly shipFailure: string | null;
}

/** The rows as each lens has them. */
type PushedRows = ReadonlyMap<Lens, LensRows>;

/** A push whose rows are all taken. */
interface SoundPush {
  readonly plan: SourcePlan;
  readonly rows: readonly Row[];
  readonly keyed: IdempotencyKey | undefined;
  readonly isPutBack: boolean;
  readonly byLens: ReadonlyMap<Lens, readonly Row[]>;
}

/** A row that waits for the store is taken to hold as many, roughly. */
const BYTES_PER_WAITING_ROW = 512;

/** Registers a writer, then reads the versions and the boundaries in force, then opens its first cut. */
export async function openPushWriter(
  deps: IngestionDeps,
  tellOfBroken: (source: string, broken: readonly BrokenRule[]) => void,
  readPlans: () => Promise<SourcePlans>,
): Promise<PushWriter> {
  const { clock, logger, limits, runs } = deps;
  let opened: Cuts | undefined;
  let linked: ((node: string) => void) | undefined;
  const { log, store, view, first } = await openLog(deps, readPlans, {
    lifetimeMs: (entity, plans) => (opened?.plans ?? plans).lifetimeMs(entity),
    // Before the first cut there is nothing that a node could have lost.
    onNode: (node) => linked?.(node),
  });
  const parts = createPartWriter(store, log, logger, { clock, onRefused: () => refuse() });
  const desk = createClaimDesk(store, logger);
  const failureOfStore = (): unknown => parts.failure ?? desk.failure ?? cuts.failure;
  const storeFailure = (): string | undefined => {
    const failure = failureOfStore();
    return failure === undefined ? undefined : messageOf(failure);
  };
  const patience = createPatience(limits.timeoutMs, storeFailure);
  const shipping = createShipping(log, runs, logger);
  const firstCuts = createFirstCuts(deps.versions, log.writer, logger);
  await firstCuts.opened(log.cut, first.live());
  const counted = createPushedCount(deps.pushed, log.writer);
  const cuts = createCuts(
    // At the call they are there.
    { deps, log, store, shipping, firstCuts, counted, linked: () => relinks.linked() },
    createOpenCut(log.writer, log.cut, view, first),
  );
  opened = cuts;
  /** Rows of pushes that are logged and not answered yet: while the store is away they only grow. */
  let waitingRows = 0;
  const underWay = new Map<string, { readonly hash: string; readonly work: Promise<PushResult | undefined> }>();
  let isClosing = false;
  let isRefused = false;
  const refused = Promise.withResolvers<void>();
  const refuse = (): void => {
    isRefused = true;
    cuts.stop();
    relinks.close();
    refused.resolve();
  };
  const keys = createKeyDecisions(store, desk);

  const relinks = createRelinks({
    deps,
    log,
    parts,
    store,
    plans: () => cuts.plans,
    unsealed: () => cuts.unsealed,
    voidsOf: ({ voids }) => voids,
    makeVoid: cuts.makeVoid,
    releaseAgain: keys.releaseAgain,
  });
  linked = relinks.link;

  const nowMicros = (): Micros => clock.nowMicros();

  const run = async (
    own: OpenCut,
    plan: SourcePlan,
    entry: LogEntry,
    pushed: PushedRows,
    decided: (counts: boolean) => void,
  ): Promise<PushResult> => {
    const claim = claimOf(entry);
    let durable = LOGGED;
    if (claim !== undefined) {
      const feed = feedOf(entry);
      if (feed !== undefined) own.feeds.add(feed);
      const granted = await keys.decide(claim, entry, own, decided);
      // Whoever was there first counts, or is settled to: it need not be waited for.
      if (!holdsClaim(entry, granted.holding))
        return feed === undefined ? repeatOf(deps.log, granted, entry, store.release) : secondOf(granted);
      if (feed !== undefined && entry.key !== undefined) own.feeds.add(feed, partOfStep(entry.key));
      ({ durable } = granted);
    } else decided(true);
    // Every lens of the plan is in it.
    const rowsOf = (lens: Lens) => pushed.get(lens) as LensRows;
    // The store may have lost the claim since, and another server may have counted the push.
    const isHeld = (): boolean => claim === undefined || own.claims.get(claim.id)?.offset === entry.offset;
    const folded = await own.fold(entry.offset, () =>
      isHeld() ? foldEntry(plan, entry, rowsOf, { view: own.view, table: own.table, nowMicros }) : undefined,
    );
    await parts.write(folded?.parts ?? []);
    if (claim !== undefined && folded !== undefined && isHeld()) {
      await desk.finish({ ...claim, result: resultOf(entry, folded.views) });
      if (isHeld()) own.claims.set(claim.id, heldBy(entry, true));
    }
    if (folded === undefined || !isHeld()) {
      const again = entry.key && (await repeat(entry.source, entry.key, entry.count));
      if (again !== undefined) return again;
      throw unavailable('it lost the Idempotency-Key of the push');
    }
    return { accepted: entry.count, duplicate: false, views: folded.views, durable };
  };

  /** Goes on whether or not anyone waits: what is logged must be decided and folded. */
  const finish = async (
    leave: () => void,
    own: OpenCut,
    plan: SourcePlan,
    entry: LogEntry,
    pushed: PushedRows,
    decided: (counts: boolean) => void,
  ): Promise<PushResult> => {
    try {
      return await run(own, plan, entry, pushed, decided);
    } catch (error) {
      // A repeat that comes too soon or with other rows is its sender's to hear of.
      if (!(error instanceof HeadraceError)) {
        const fields = { writer: log.writer, offset: entry.offset, reason: messageOf(error) };
        logger.error(fields, 'a push failed in the middle');
      }
      throw error;
    } finally {
      leave();
      cuts.cutWhenLarge();
    }
  };

  const append = async (
    wanted: SourcePlans,
    { plan, rows, keyed: key, isPutBack, byLens }: SoundPush,
  ): Promise<PushResult | undefined> => {
    if (cuts.isBehind(wanted)) await cuts.takeUp(wanted);
    // From here to the append in one turn: the log puts an entry into the cut that is open at the call.
    const called = cuts.current;
    if (called.plans !== wanted && !isClosing) return undefined;
    if (isClosing) throw new HeadraceError('HR_STOPPING', 'the server is stopping; push again elsewhere.');
    if (isRefused) throw numberTaken(log.writer);
    const isTooMuch =
      called.table.bytes > limits.memoryBytes || waitingRows * BYTES_PER_WAITING_ROW > limits.memoryBytes;
    const failure = isTooMuch ? failureOfStore() : undefined;
    if (failure !== undefined) throw unavailable(failure);
    let leaveCut = called.enter();
    waitingRows += rows.length;
    const leave = (): void => {
      leaveCut();
      waitingRows -= rows.length;
    };
    const arrival = clock.nowMicros();
    const logged = rows.map((row) => ({ row, knownMicros: arrival }));
    let entry: LogEntry;
    const decided = counted.enter(plan.logged.name);
    try {
      const marks = { ...(key !== undefined && { key }), ...(isPutBack && { isPutBack: true as const }) };
      entry = await log.append({ source: plan.logged, rows: logged, ...marks });
    } catch (error) {
      decided(undefined, false);
      leave();
      throw error;
    }
    // The log's word counts: a cut that was being opened at the call may have failed.
    const own = cuts.unsealed.find((one) => one.cut === entry.cut) ?? called;
    if (own !== called) {
      const enteredElsewhere = leaveCut;
      leaveCut = own.enter();
      enteredElsewhere();
    }
    own.appended(entry.offset);
    const pushed = new Map<Lens, LensRows>();
    for (const [lens, complete] of byLens) {
      pushed.set(lens, {
        rows: complete,
        known: complete.map((row) => knownOf(lens.source, row, arrival, isPutBack)),
      });
    }
    return finish(leave, own, plan, entry, pushed, (counts) => decided(entry, counts));
  };

  const repeat: PushWriter['repeat'] = (...asked) => findRepeat(deps.log, store, ...asked);

  /** Rows as every lens has them. Before anything is kept: a row that can't be derived must not be in the log. */
  const derive = async (plan: SourcePlan, rows: readonly Row[]): Promise<Map<Lens, readonly Row[]>> => {
    const byLens = new Map<Lens, readonly Row[]>();
    for (const lens of plan.lenses) {
      const derived = lens.derive(lens.convert(rows));
      const complete = derived instanceof Promise ? await derived : derived;
      const now = clock.nowMicros();
      const isToday = lens === plan.lenses[0];
      if (isToday) checkDerivedTimes(lens.source, complete, now, limits);
      byLens.set(lens, isToday ? complete : withoutFarTimes(lens.source, complete, now, limits));
    }
    return byLens;
  };

  const take = async (wanted: SourcePlans, source: string, given: NewPush): Promise<PushResult | undefined> => {
    const plan = wanted.of(source) as SourcePlan;
    const { rows, keyed, step, isPutBack = false } = given;
    const byLens = await derive(plan, rows);
    const [today] = plan.lenses;
    // Every lens of the plan is in it.
    const complete = byLens.get(today) as readonly Row[];
    const { apart, broken } = checkPush(today.checks, complete, isPutBack, (all) => tellOfBroken(source, all));
    const sound = { plan, rows, keyed, isPutBack, byLens };
    const result = await takeSound(wanted, sound, apart, step);
    if (step !== undefined && result !== undefined && result.until === undefined)
      await letOthersGo(deps, plan.logged, rows, apart, step);
    if (result === undefined || result.duplicate) return result;
    const warned = broken.filter(({ onFail }) => onFail === 'warn');
    const warnings = warned.map(({ rule, rows: count }) => ({ rule, rows: count }));
    return warnings.length === 0 ? result : { ...result, warnings };
  };

  const takeSound = (
    wanted: SourcePlans,
    sound: SoundPush,
    apart: CheckedPush['apart'],
    step: FeedStep | undefined,
  ): Promise<PushResult | undefined> => {
    if (apart.size === 0) return append(wanted, sound);
    const { plan, rows, keyed } = sound;
    return withApart(
      { deps, repeat },
      { source: plan.logged, rows, apart, keyed, step, arrivedMicros: clock.nowMicros() },
      () => append(wanted, { ...sound, ...withoutRows(sound, apart) }),
    );
  };

  const end = async (): Promise<void> => {
    await cuts.sealLast();
    await log.finish();
    // What no run covers yet is held by whoever comes next, should a node lose it.
    const marks = await readMarks(deps.store, runs, cuts.plans);
    if (isCoveredEverywhere(marks, cuts.plans, log.writer, cuts.current.cut)) await log.end();
  };

  /** Where entries of another writer are added to this one's log. */
  const receiver = (): Receiver => ({
    log,
    store,
    parts,
    plans: cuts.plans,
    enter() {
      const cut = cuts.current;
      return { cut, leave: cut.enter() };
    },
    nowMicros,
    claimRetentionMs: limits.claimRetentionMs,
  });
  let moveTo: ReturnType<typeof createMove> | undefined;

  return {
    writer: log.writer,
    token: log.token,
    holder: log.holder,
    refused: refused.promise,
    takeOver: (former) => former.move(receiver()),
    idle: async () => void (await Promise.all(cuts.unsealed.map((cut) => cut.idle()))),
    move: (to) => (moveTo ??= createMove({ log, store, cuts: cuts.unsealed }))(to),
    push(wanted, source, given) {
      const { keyed: key } = given;
      if (key === undefined) return patience.within(take(wanted, source, given));
      const id = JSON.stringify([source, key.key]);
      const before = underWay.get(id);
      if (before !== undefined) {
        if (before.hash !== key.hash) return Promise.reject(otherRows(key.key));
        const again = before.work.then((result) => result && { ...result, duplicate: true });
        return patience.within(again);
      }
      const work = take(wanted, source, given).finally(() => underWay.delete(id));
      underWay.set(id, { hash: key.hash, work });
      return patience.within(work);
    },
    repeat,
    feedPosition: async (feed) =>
      deps.feeds === undefined ? undefined : walkFeed({ feeds: deps.feeds, clock }, store, feed),
    async touch() {
      await firstCuts.retry();
      // Before the rows: those that are told by a number which is another's by now would be that one's.
      await log.touch();
      // The registry is away: the log logs that, and the next call writes all of it.
      await counted.tell().catch(() => {});
    },
    answerRuns: (wanted) => cuts.answerRuns(wanted),
    status: () => ({
      writer: log.writer,
      cut: cuts.current.cut,
      pending: cuts.unsealed.reduce((sum, { pending }) => sum + pending, 0),
      parts: cuts.unsealed.reduce((sum, { table }) => sum + table.size, 0),
      partBytes: cuts.unsealed.reduce((sum, { table }) => sum + table.bytes, 0),
      storeFailure: storeFailure() ?? null,
      shipFailure: shipping.failure === undefined ? null : messageOf(shipping.failure),
    }),
    async close(limitMs) {
      isClosing = true;
      cuts.stop();
      const isEnded = limitMs > 0 && (await endedWithin(end(), limitMs));
      relinks.close();
      if (!isEnded) logger.warn({ writer: log.writer }, 'the log could not be ended; the next process settles it');
      cuts.close();
      parts.close();
      desk.close();
      shipping.close();
      await store.close();
      await log.close();
    },
  };
}
