// A new connection to a node: what the node may have lost since its mark is written again, the writer's own parts in
// memory and the others from the log. Until that has worked it is tried again, on whatever connection there is. Where the
// node lost a claim too, and another place took the key and counted its push, this writer's entry becomes void: so no cut
// is sealed before its writer has linked again to every node.

import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../core/index.ts';
import type { CutRecord, LogEntry, LogWriter } from '../events/index.ts';
import type { StoreWriter } from '../online/index.ts';
import { claimOf } from './claim-desk.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import type { OpenCut } from './open-cut.ts';
import type { PartWriter } from './part-writer.ts';
import { readMarks, refoldCut, takeOut } from './refold.ts';
import type { SourcePlans } from './source-plan.ts';

export interface Relinks {
  /** To be called with the node on every new connection to it. */
  readonly link: (node: string) => void;
  /** Whether every node answers, and has got again what it may have lost. */
  isLinked(): Promise<boolean>;
  /** Resolves with true once that is so, with false when it is closed before. */
  linked(): Promise<boolean>;
  close(): void;
}

export interface RelinkContext {
  readonly deps: Pick<IngestionDeps, 'store' | 'log' | 'runs' | 'clock' | 'logger' | 'limits'>;
  readonly log: LogWriter;
  readonly parts: PartWriter;
  readonly store: StoreWriter;
  plans(): SourcePlans;
  /** Cuts in memory. */
  unsealed(): readonly OpenCut[];
  /** Void entries of a cut that is to be read from the log: one whose entries are all decided. Undefined for others. */
  voidsOf(cut: CutRecord): ReadonlySet<number> | undefined;
  /** Entries of an unsealed cut are void from now on. */
  makeVoid(cut: number, offsets: ReadonlySet<number>): void;
  /** Gives up again the wanted claims of those that were given up. */
  releaseAgain?(isWanted: (id: string) => boolean): Promise<void>;
}

const RETRY_MS = 500;
const LOOK_AGAIN_MS = 100;

export function createRelinks(context: RelinkContext): Relinks {
  const { deps, log, parts, store } = context;
  /** By node, which connection is the newest. */
  const newest = new Map<string, number>();
  /** Those that are linked again just now. */
  const linking = new Map<string, Promise<void>>();
  let isClosed = false;

  // No other node has to do with it: that one may be away.
  const isClaimAt = (node: string) => (id: string) => store.nodeOfClaim(id) === node;

  const refoldDecided = async (node: string): Promise<void> => {
    const plans = context.plans();
    const marks = (await readMarks(deps.store, deps.runs, plans, node)).get(node) ?? new Map();
    for (const record of await log.cuts()) {
      const voids = context.voidsOf(record);
      if (voids === undefined) continue;
      const { cut, view } = record;
      const isSealed = record.voids !== undefined;
      const counts = (entry: LogEntry) => !voids.has(entry.offset);
      const makeVoid = (lost: ReadonlySet<number>) => context.makeVoid(cut, lost);
      const more = isSealed ? {} : { makeVoid };
      const decided = { cut, view, isSealed, counts, isClaimWanted: isClaimAt(node), ...more };
      const claims = await refoldCut({ deps, plans, log, parts, store }, decided, new Map([[node, marks]]));
      if (isSealed) await store.expire(claims, deps.limits.claimRetentionMs);
    }
  };

  // The parts are in memory, the answers are not.
  const restoreClaims = async (open: OpenCut, node: string): Promise<void> => {
    const { cut, view, plans, claims } = open;
    if (![...claims.keys()].some(isClaimAt(node))) return;
    const decided = {
      cut,
      view,
      isSealed: false,
      counts: (entry: LogEntry) => claims.get(claimOf(entry)?.id ?? '')?.offset === entry.offset,
      // One under way tells its result by itself, once its parts are there.
      isAnswered: (id: string) => claims.get(id)?.isAnswered === true,
      isClaimWanted: isClaimAt(node),
      async makeVoid(lost: ReadonlySet<number>): Promise<void> {
        deps.logger.warn(
          { writer: log.writer, cut, offsets: [...lost] },
          'pushes were counted by another server after the online store lost their Idempotency-Keys; here they are void',
        );
        const changed = await open.refold((isFolded) => {
          context.makeVoid(cut, lost);
          return takeOut({ deps, log }, open, lost, isFolded);
        });
        await parts.write(changed);
      },
    };
    await refoldCut({ deps, plans, log, parts, store }, decided, new Map());
  };

  const writeAgain = async (node: string): Promise<void> => {
    await context.releaseAgain?.(isClaimAt(node));
    const failures: unknown[] = [];
    for (const cut of context.unsealed()) {
      // What waits for another's push must not keep the parts from the node.
      await restoreClaims(cut, node).catch((error: unknown) => failures.push(error));
      const lost = [...cut.table.all()].filter(
        (part) => part.fold !== undefined && store.nodeOf(part.entity, part.key) === node,
      );
      await parts.write(lost);
    }
    await refoldDecided(node);
    if (failures.length > 0) throw failures[0];
  };

  const relink = async (node: string, generation: number): Promise<void> => {
    let toldOf = '';
    while (!isClosed && newest.get(node) === generation) {
      try {
        await writeAgain(node);
        break;
      } catch (error) {
        const reason = messageOf(error);
        if (reason !== toldOf)
          deps.logger.warn({ node, reason }, 'what a node may have lost could not be written again yet');
        toldOf = reason;
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  };

  const isLinked = async (): Promise<boolean> => {
    if (linking.size > 0) return false;
    const isReached = await store.reach().then(
      () => true,
      () => false,
    );
    // A connection may have been lost and opened again meanwhile.
    return isReached && linking.size === 0;
  };

  return {
    link(node) {
      const generation = (newest.get(node) ?? 0) + 1;
      newest.set(node, generation);
      const work = relink(node, generation).finally(() => {
        if (linking.get(node) === work) linking.delete(node);
      });
      linking.set(node, work);
    },
    isLinked,
    async linked() {
      while (!isClosed) {
        if (await isLinked()) return true;
        await delay(LOOK_AGAIN_MS, undefined, { ref: false });
      }
      return false;
    },
    close() {
      isClosed = true;
    },
  };
}
