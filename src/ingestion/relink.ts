// A new connection to a node: what the node may have lost since its mark is written again, the writer's own parts in
// memory and the others from the log. Until that has worked it is tried again, on whatever connection there is.

import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../core/index.ts';
import type { CutRecord, LogEntry, LogWriter } from '../events/index.ts';
import type { StoreWriter } from '../online/index.ts';
import { claimOf } from './claim-desk.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import type { OpenCut } from './open-cut.ts';
import type { PartWriter } from './part-writer.ts';
import { readMarks, refoldCut } from './refold.ts';
import type { SourcePlans } from './source-plan.ts';

export interface Relinks {
  /** To be called with the node on every new connection to it. */
  readonly link: (node: string) => void;
  close(): void;
}

export interface RelinkContext {
  readonly deps: Pick<IngestionDeps, 'store' | 'runs' | 'clock' | 'logger' | 'limits'>;
  readonly log: LogWriter;
  readonly parts: PartWriter;
  readonly store: StoreWriter;
  plans(): SourcePlans;
  /** Cuts in memory. */
  unsealed(): readonly OpenCut[];
  /** Void entries of a cut that is to be read from the log: one whose entries are all decided. Undefined for others. */
  voidsOf(cut: CutRecord): ReadonlySet<number> | undefined;
}

const RETRY_MS = 500;

export function createRelinks(context: RelinkContext): Relinks {
  const { deps, log, parts, store } = context;
  /** By node, which connection is the newest. */
  const newest = new Map<string, number>();
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
      const decided = { cut, view, isSealed, counts, isClaimWanted: isClaimAt(node) };
      const claims = await refoldCut({ deps, plans, log, parts, store }, decided, new Map([[node, marks]]));
      if (isSealed) await store.expire(claims, deps.limits.claimRetentionMs);
    }
  };

  // The parts are in memory, the answers are not.
  const restoreClaims = async ({ cut, view, plans, claims }: OpenCut, node: string): Promise<void> => {
    if (![...claims.keys()].some(isClaimAt(node))) return;
    const decided = {
      cut,
      view,
      isSealed: false,
      counts: (entry: LogEntry) => claims.get(claimOf(entry)?.id ?? '')?.offset === entry.offset,
      // One under way tells its result by itself, once its parts are there.
      isAnswered: (id: string) => claims.get(id)?.isAnswered === true,
      isClaimWanted: isClaimAt(node),
    };
    await refoldCut({ deps, plans, log, parts, store }, decided, new Map());
  };

  const writeAgain = async (node: string): Promise<void> => {
    for (const cut of context.unsealed()) {
      const lost = [...cut.table.all()].filter(
        (part) => part.fold !== undefined && store.nodeOf(part.entity, part.key) === node,
      );
      await restoreClaims(cut, node);
      await parts.write(lost);
    }
    await refoldDecided(node);
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

  return {
    link(node) {
      const generation = (newest.get(node) ?? 0) + 1;
      newest.set(node, generation);
      void relink(node, generation);
    },
    close() {
      isClosed = true;
    },
  };
}
