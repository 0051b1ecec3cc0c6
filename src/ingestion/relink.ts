// A new connection to a node: what the node may have lost since its mark is written again, the writer's own parts in
// memory and the sealed ones from the log. Until that has worked it is tried again, on whatever connection there is.

import { setTimeout as delay } from 'node:timers/promises';
import type { LogEntry, LogWriter } from '../events/index.ts';
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
  /** Nodes that are being written again. */
  readonly underWay: number;
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
}

const RETRY_MS = 500;

export function createRelinks(context: RelinkContext): Relinks {
  const { deps, log, parts, store } = context;
  /** By node, which connection is the newest. */
  const newest = new Map<string, number>();
  let underWay = 0;
  let isClosed = false;

  const refoldSealed = async (node: string): Promise<void> => {
    const plans = context.plans();
    const marks = (await readMarks(deps.store, deps.runs, plans)).get(node) ?? new Map();
    for (const { cut, view, voids } of await log.cuts()) {
      if (voids === undefined) continue;
      const decided = { cut, view, isSealed: true, counts: (entry: LogEntry) => !voids.has(entry.offset) };
      const claims = await refoldCut({ deps, plans, log, parts, store }, decided, new Map([[node, marks]]));
      await store.expire(claims, deps.limits.claimRetentionMs);
    }
  };

  // The parts are in memory, the answers are not.
  const restoreClaims = async ({ cut, view, plans, claims }: OpenCut): Promise<void> => {
    if (claims.size === 0) return;
    const decided = {
      cut,
      view,
      isSealed: false,
      counts: (entry: LogEntry) => claims.get(claimOf(entry)?.id ?? '')?.offset === entry.offset,
      // One under way tells its result by itself, once its parts are there.
      isAnswered: (id: string) => claims.get(id)?.isAnswered === true,
    };
    await refoldCut({ deps, plans, log, parts, store }, decided, new Map());
  };

  const writeAgain = async (node: string): Promise<void> => {
    for (const cut of context.unsealed()) {
      const lost = [...cut.table.all()].filter(
        (part) => part.fold !== undefined && store.nodeOf(part.entity, part.key) === node,
      );
      await restoreClaims(cut);
      await parts.write(lost);
    }
    await refoldSealed(node);
  };

  const relink = async (node: string, generation: number): Promise<void> => {
    underWay++;
    while (!isClosed && newest.get(node) === generation) {
      try {
        await writeAgain(node);
        break;
      } catch (error) {
        deps.logger.warn({ node, reason: String(error) }, 'what a node may have lost could not be written again yet');
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
    underWay--;
  };

  return {
    link(node) {
      const generation = (newest.get(node) ?? 0) + 1;
      newest.set(node, generation);
      void relink(node, generation);
    },
    get underWay() {
      return underWay;
    },
    close() {
      isClosed = true;
    },
  };
}
