// Ingestion: pushes into sources, from wherever they come. Opens a writer when the first push comes, answers runs that
// ask, and settles the logs of writers of this machine that are gone.

import type { BrokenRule } from '../checks/index.ts';
import { didYouMeanOf, HeadraceError, messageOf } from '../core/index.ts';
import { type Definitions, type LiveVersion, versionsOf } from '../definitions/index.ts';
import type { IdempotencyKey } from '../events/index.ts';
import { createArrivalClock } from './arrival-clock.ts';
import { endedWithin } from './ended-within.ts';
import { type FeedId, stepKey } from './feed-key.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { parsePush } from './parse-push.ts';
import { checkPush } from './push-checks.ts';
import type { PushResult } from './push-result.ts';
import { seenWriter } from './open-log.ts';
import { type NewPush, openPushWriter, type PushWriter, type WriterStatus } from './push-writer.ts';
import { hashOf } from './repeat.ts';
import { isOfRows, siftRows } from './sift.ts';
import { type SettledLog, settleLog } from './settle.ts';
import { compileSourcePlans, type SourcePlans } from './source-plan.ts';
import { tellOfBroken } from './tell-of-broken.ts';

export interface Ingestion {
  /**
   * `rows` is JSON. Throws HR_UNKNOWN_SOURCE, HR_INVALID, HR_TOO_LARGE, HR_IDEMPOTENCY, HR_PUSH_UNDER_WAY, HR_PUSH_LOST,
   * HR_ONLINE_UNAVAILABLE (logged, seen later), HR_STORAGE_FULL, HR_QUARANTINE_FULL, HR_EXPECTATION (nothing is kept).
   */
  push(source: string, rows: unknown, key?: string): Promise<PushResult>;
  /**
   * A feed of a source, which counts once whoever reads it, and however often. Throws HR_UNKNOWN_SOURCE, HR_UNSUPPORTED
   * where this process keeps no feeds.
   */
  feed(id: FeedId): Feed;
  /** By index, why rows would be refused; the others can be pushed. Throws HR_UNKNOWN_SOURCE. */
  sift(source: string, rows: readonly unknown[]): Promise<ReadonlyMap<number, string>>;
  /**
   * Checks rows without pushing them, however many; of what is expected of them the declared columns. Throws
   * HR_UNKNOWN_SOURCE, HR_INVALID, HR_EXPECTATION.
   */
  check(source: string, rows: unknown): void;
  /**
   * Settles the logs of dead writers of this machine; those that can't be are logged and left. Gives how many. Waits some 10 s
   * where a log may have been copied, or the machine was restarted, and its writer was silent before; a look doesn't.
   */
  settle(): Promise<number>;
  /** One look at runs that ask and at settled logs; done by itself while the process serves. */
  look(): Promise<void>;
  status(): IngestionStatus;
  /** Ends the writer; what can't be ended in time is settled by the next process. */
  close(): Promise<void>;
}

/** Batches in order; `push` them one after the other. */
export interface Feed {
  /**
   * Where the next batch begins, kept for good up to there; undefined before the feed began. What throws says that the
   * store or the registry is away.
   */
  position(): Promise<number | undefined>;
  /** Has it begin there, if it did not begin; gives where it stands. */
  begin(at: number): Promise<number>;
  /**
   * As `Ingestion.push`, of the rows between two positions, which may be none. `until` of the result: another batch began at
   * `from` before; go on there.
   */
  push(rows: readonly unknown[], from: number, to: number, more?: FeedRows): Promise<PushResult>;
  /** Keeps that it stands there, where a batch ended: `position` finds that by itself, but takes a step a batch. */
  keep(at: number): Promise<void>;
}

export interface FeedRows {
  /** The position of each row; left out, they follow one another from where the batch begins. */
  readonly places?: readonly number[];
  /** They were set apart, and are put back. */
  readonly isPutBack?: boolean;
}

export interface IngestionStatus {
  /** Null before the first push. */
  readonly writer: WriterStatus | null;
  /** Settled logs that are held until every node's mark covers them. */
  readonly settled: readonly number[];
}

export interface IngestionOptions {
  /** The definitions to push by; a change is taken up by the next push or look. */
  readonly definitions: () => Definitions;
  /** Every version of a view that is kept; those of the definitions alone when left out. A change is another list. */
  readonly versions?: () => readonly LiveVersion[];
  /**
   * Reads both anew, for a writer that has just registered: whoever finds a version complete must know of every writer that
   * opened a cut without it. Throws where they can't be read.
   */
  readonly refresh?: () => Promise<unknown>;
  /** Look for runs that ask, and for dead writers, in the background; left out for one push from a command line. */
  readonly lookEveryMs?: number;
  /** How much less often dead writers are looked for than runs that ask. */
  readonly settleEveryMs?: number;
  readonly closeLimitMs?: number;
  /** Called with the rules that a push broke, whether it was taken or not. */
  readonly onBroken?: (source: string, broken: readonly BrokenRule[]) => void;
}

const CLOSE_LIMIT_MS = 5000;
/** Settling is looked for less often than runs. */
const SETTLE_EVERY_MS = 5000;
const TOUCH_EVERY_MS = 2000;

export function openIngestion(given: IngestionDeps, options: IngestionOptions): Ingestion {
  const { logger } = given;
  const clock = createArrivalClock(given.clock, given.store, logger);
  const deps: IngestionDeps = { ...given, clock };
  let compiled: SourcePlans | undefined;
  let opening: Promise<PushWriter> | undefined;
  let writer: PushWriter | undefined;
  let settled: SettledLog[] = [];
  let looking: Promise<void> | undefined;
  let touching: Promise<void> | undefined;
  let lastSettle = -Infinity;
  let lastTouch = -Infinity;
  let isClosed = false;

  const plans = (): SourcePlans => {
    const definitions = options.definitions();
    const versions = options.versions?.();
    const isSame = compiled?.definitions === definitions && (versions === undefined || compiled.versions === versions);
    if (compiled === undefined || !isSame) {
      const kept = { definitions, versions: versions ?? versionsOf(definitions) };
      compiled = compileSourcePlans(kept, deps, (compiled?.generation ?? 0) + 1);
    }
    return compiled;
  };

  const ownWriter = (): Promise<PushWriter> => {
    const tell = tellOfBroken(logger, options.onBroken);
    opening ??= openPushWriter(deps, tell, async () => {
      await options.refresh?.();
      return plans();
    }).then(
      (opened) => {
        writer = opened;
        void opened.refused.then(() => replace(opened));
        return opened;
      },
      (error: unknown) => {
        opening = undefined;
        throw error;
      },
    );
    return opening;
  };

  /** Writers that the store, or the registry, takes nothing of any more, whose entries are not moved yet. */
  let former: readonly PushWriter[] = [];
  let moving: Promise<void> | undefined;

  const moveOne = async (own: PushWriter): Promise<void> => {
    const row = (await deps.log.writers()).find(({ number }) => number === own.writer);
    // Whoever holds the log now counts what is in it; what was forgotten counts nowhere.
    if (row?.token === own.token && (row.holder > own.holder || row.state === 'forgotten')) return own.close(0);
    const fields = {
      writer: own.writer,
      own: own.token,
      registered: row?.token ?? null,
      machine: row?.machine ?? null,
    };
    const sentence = `another writer has number ${own.writer}: this one registers a new number and writes its parts again`;
    logger.error(fields, sentence);
    await own.idle();
    if (deps.log.renumbers && (row?.token !== own.token || row.shipped === 0)) {
      await own.close(0);
      if (row?.token === own.token) await deps.log.renumber(own, await seen());
      await settle(false);
      return;
    }
    const next = await ownWriter();
    await next.takeOver(own);
    logger.info({ writer: next.writer }, `what writer ${own.writer} took counts under a new number now`);
    await own.close(options.closeLimitMs ?? CLOSE_LIMIT_MS);
  };

  const moveAll = async (): Promise<void> => {
    for (const own of former) {
      await moveOne(own);
      former = former.filter((one) => one !== own);
    }
  };
  const moveFormer = (): Promise<void> => (moving ??= moveAll().finally(() => (moving = undefined)));

  /** The next push opens another. */
  const replace = async (own: PushWriter): Promise<void> => {
    if (writer === own) [writer, opening] = [undefined, undefined];
    if (former.includes(own)) return;
    former = [...former, own];
    await moveFormer().catch((error: unknown) => {
      const reason = messageOf(error);
      logger.warn({ reason }, 'what a writer took could not be moved to its new number yet; trying again');
    });
  };

  const planOf = (name: string) => {
    const current = plans();
    const plan = current.of(name);
    if (plan === undefined) {
      const known = current.sources;
      throw new HeadraceError(
        'HR_UNKNOWN_SOURCE',
        `there is no source "${name}".${didYouMeanOf('sources', name, known)}`,
      );
    }
    return { current, plan };
  };

  /** A push that was taken once was so by the definitions of then, whatever those of now say of its rows. */
  const repeatOfKey = async (source: string, rows: unknown, key: string) => {
    const keyed = Array.isArray(rows) && rows.every(isObject) ? keyOf(rows, key) : undefined;
    if (keyed === undefined || isClosed) return undefined;
    return (await ownWriter()).repeat(source, keyed, (rows as unknown[]).length);
  };

  const seen = async () => seenWriter(deps, await deps.runs.registry());

  const settle = async (waits: boolean): Promise<number> => {
    lastSettle = performance.now();
    let count = 0;
    for (const log of await deps.log.adopt({ waits, seen })) {
      try {
        const own = await settleLog(deps, log, plans());
        if (isClosed) await own.close();
        else settled.push(own);
        count++;
      } catch (error) {
        logger.warn({ writer: log.writer, reason: messageOf(error) }, 'a dead writer could not be settled yet');
        await log.close();
      }
    }
    return count;
  };

  const letGo = async (): Promise<void> => {
    for (const log of settled) {
      const isDone = await log.isDone(plans()).catch(isTaken);
      if (!isDone) continue;
      settled = settled.filter((one) => one !== log);
      await log.close();
    }
  };

  // A writer that was forgotten takes nothing more: the next push opens another.
  const touch = async (): Promise<void> => {
    if (writer === undefined) return;
    lastTouch = performance.now();
    const own = writer;
    try {
      await own.touch();
    } catch (error) {
      logger.error({ writer: own.writer, reason: messageOf(error) }, 'the writer was given up; another is opened');
      await replace(own);
    }
  };

  const tellThatItLives = (): Promise<void> => {
    if (performance.now() - lastTouch >= TOUCH_EVERY_MS) touching ??= touch().finally(() => (touching = undefined));
    return touching ?? Promise.resolve();
  };

  const look = async (): Promise<void> => {
    if (isClosed) return;
    await writer?.answerRuns(plans());
    if (performance.now() - lastSettle < (options.settleEveryMs ?? SETTLE_EVERY_MS)) return;
    await settle(false);
    await letGo();
    await moveFormer();
  };

  const lookNow = async (): Promise<void> => {
    // By itself: a look waits for a cut, and that for a store that may be away for long.
    await tellThatItLives();
    looking ??= look().finally(() => (looking = undefined));
    await looking;
  };

  let lastFailure = '';
  const timer =
    options.lookEveryMs === undefined
      ? undefined
      : setInterval(() => {
          const isLooking = looking !== undefined;
          (isLooking ? tellThatItLives() : lookNow()).then(
            () => (lastFailure = ''),
            (error: unknown) => {
              if (lastFailure !== messageOf(error))
                logger.warn({ reason: messageOf(error) }, 'could not look for runs that ask');
              lastFailure = messageOf(error);
            },
          );
        }, options.lookEveryMs).unref();

  const push = async (
    source: string,
    rows: unknown,
    key?: string | IdempotencyKey,
    { isPutBack, step }: Pick<NewPush, 'isPutBack' | 'step'> = {},
  ): Promise<PushResult> => {
    const checked = clock.check();
    if (checked !== undefined) await checked;
    for (;;) {
      const { current, plan } = planOf(source);
      try {
        const parsed = parsePush(plan, rows, deps.clock.nowMicros(), deps.limits);
        if (isClosed) throw new HeadraceError('HR_STOPPING', 'the server is stopping; push again elsewhere.');
        // What was parsed is an array of objects.
        const keyed = typeof key === 'string' ? keyOf(rows, key) : key;
        const result = await (await ownWriter()).push(current, source, { rows: parsed, keyed, step, isPutBack });
        if (result !== undefined) return withApart(result, parsed.length);
      } catch (error) {
        const before = typeof key === 'string' && isOfRows(error) ? await repeatOfKey(source, rows, key) : undefined;
        if (before === undefined) throw error;
        return withApart(before, (rows as readonly unknown[]).length);
      }
    }
  };

  return {
    push: (source, rows, key) => push(source, rows, key),
    feed(id) {
      const table = deps.feeds;
      planOf(id.source);
      if (table === undefined) throw new HeadraceError('HR_UNSUPPORTED', `feed ${id.feed} has no table to be kept in`);
      return {
        position: async () => (await ownWriter()).feedPosition(id),
        begin: (at) => table.begin(id, at, deps.clock.nowMicros()),
        push(rows, from, to, { places = rows.map((_, i) => from + i), isPutBack } = {}) {
          const step = { feed: id.feed, from, to, places };
          return push(id.source, rows, stepKey(id, from, to), { step, isPutBack });
        },
        keep: (at) => table.advance(id, at, deps.clock.nowMicros()),
      };
    },
    sift: (source, rows) => siftRows(planOf(source).plan, rows, deps.clock.nowMicros(), { ...deps.limits, maxRows: 1 }),
    check(source, rows) {
      const { plan } = planOf(source);
      const parsed = parsePush(plan, rows, deps.clock.nowMicros(), { ...deps.limits, maxRows: Infinity });
      const declared = new Set(plan.source.columns.map(({ name }) => name));
      const refusing = plan.lenses[0].checks.filter(({ column, onFail }) => onFail === 'fail' && declared.has(column));
      checkPush(refusing, parsed, false);
    },
    settle: () => settle(true),
    look: lookNow,
    status: () => ({ writer: writer?.status() ?? null, settled: settled.map((log) => log.writer) }),
    async close() {
      isClosed = true;
      clearInterval(timer);
      const limitMs = options.closeLimitMs ?? CLOSE_LIMIT_MS;
      // A look that hangs must not keep the writer from its end.
      const looked = endedWithin(looking ?? Promise.resolve(), limitMs);
      // What can't be moved in time is settled by the next process, from where it is.
      if (former.length > 0) await endedWithin(moveFormer(), limitMs);
      for (const own of former) await own.close(0);
      await opening?.then(
        (opened) => opened.close(limitMs),
        () => {},
      );
      await looked;
      // A run of this process may have covered them meanwhile.
      await letGo();
      for (const log of settled) await log.close();
    },
  };
}

/** What is not in the log was set apart: so a repeat and a settled push are answered alike. */
function withApart(result: PushResult, sent: number): PushResult {
  // Of a feed's batch that came second nothing was kept.
  if (result.until !== undefined) return result;
  return result.accepted < sent ? { ...result, quarantined: sent - result.accepted } : result;
}

/** Whether the registry has a log's number as another's: the next look finds it in its folder, and gives it a new number. */
function isTaken(error: unknown): boolean {
  return error instanceof HeadraceError && error.code === 'HR_CONFLICT';
}

function isObject(row: unknown): row is object {
  return typeof row === 'object' && row !== null;
}

/** `rows` are objects. */
function keyOf(rows: unknown, key: string): IdempotencyKey {
  return { key, hash: hashOf(rows as readonly object[]) };
}
