// Writes a run's bases to the store's nodes: one pass over the keys feeds them all. A node whose connection is lost gets
// all of its keys again in another pass; its mark comes last.

import { setTimeout as sleep } from 'node:timers/promises';
import { HeadraceError } from '../../core/index.ts';
import { type BaseWrite, mayGoOn, type OnlineStore, type RunRow, type StoreRun } from '../../online/index.ts';

export interface NodeWriterRequest {
  readonly store: OnlineStore;
  readonly storeRun: StoreRun;
  /** The run's, open. */
  readonly row: RunRow;
  /** Waits before another pass, one each. */
  readonly retryMs: readonly number[];
  /** Gives every base of the run, once; `write` resolves when more may come. Called anew for each pass. */
  pass(write: (writes: readonly BaseWrite[]) => Promise<void>): Promise<void>;
}

/**
 * Resolves once every node has the run's mark. Throws HR_ONLINE_UNAVAILABLE when one can't be had, and MarkWentBack
 * where an incremental run would build on what a node has lost; else as the store and the pass.
 */
export async function writeNodes({ store, storeRun, row, retryMs, pass }: NodeWriterRequest): Promise<void> {
  let todo = [...storeRun.nodes];
  for (let tries = 0; ; tries++) {
    const lost = new Map<string, HeadraceError>();
    const live = new Set<string>();
    for (const node of todo) {
      await orLost(lost, node, async () => {
        await storeRun.begin(node);
        // After the connection: a failover from here on is noticed by it.
        await checkMark(store, row, node);
        live.add(node);
      });
    }
    if (live.size > 0) {
      await pass(async (writes) => {
        for (const [node, own] of byNode(storeRun, writes)) {
          if (live.has(node) && !lost.has(node)) await orLost(lost, node, () => storeRun.write(node, own));
        }
        const [error] = lost.values();
        if (error !== undefined && lost.size === todo.length) throw new AllLost(error);
      }).catch((error: unknown) => {
        if (!(error instanceof AllLost)) throw error;
      });
      for (const node of live) if (!lost.has(node)) await orLost(lost, node, () => storeRun.mark(node));
    }
    todo = todo.filter((node) => lost.has(node));
    const [error] = lost.values();
    if (error === undefined) return;
    const wait = retryMs[tries];
    if (wait === undefined) throw error;
    await sleep(wait);
  }
}

/** A node went back behind the run that an incremental one builds on: a failover lost that run's last writes. */
export class MarkWentBack extends HeadraceError {
  constructor(message: string) {
    super('HR_ONLINE_UNAVAILABLE', message);
  }
}

/** Every node of a pass was lost: the rest of it would go nowhere. */
class AllLost extends Error {
  constructor(error: HeadraceError) {
    super(error.message, { cause: error });
  }
}

async function checkMark(store: OnlineStore, row: RunRow, node: string): Promise<void> {
  if (row.isFull) return;
  const marks = await store.marks(row.version);
  const mark = marks.find((one) => one.node === node)?.run;
  if (mayGoOn(row, mark)) return;
  throw new MarkWentBack(
    `node "${node}" of the online store ${mark === undefined ? 'has no run’s mark' : `went back to run ${mark}`} ` +
      `while run ${row.number} built on run ${row.since}. Run it again.`,
  );
}

async function orLost(lost: Map<string, HeadraceError>, node: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'HR_ONLINE_UNAVAILABLE') throw error;
    if (error instanceof MarkWentBack) throw error;
    lost.set(node, error);
  }
}

function byNode(storeRun: StoreRun, writes: readonly BaseWrite[]): Iterable<[string, readonly BaseWrite[]]> {
  const [only] = storeRun.nodes;
  if (only !== undefined && storeRun.nodes.length === 1) return [[only, writes]];
  const nodes = new Map<string, BaseWrite[]>();
  for (const write of writes) {
    const node = storeRun.nodeOf(write.entity, write.key);
    const own = nodes.get(node);
    if (own === undefined) nodes.set(node, [write]);
    else own.push(write);
  }
  return nodes;
}
