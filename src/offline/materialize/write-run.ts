// An open run's writing: its bases to every node, empty ones for keys whose facts are gone, then the nodes' marks.

import { type EncodedKey, type Micros, type Progress } from '../../core/index.ts';
import { type LifetimeOf, type OnlineStore, type OpenedRow, packBase, type Runs } from '../../online/index.ts';
import type { PinnedSnapshot } from '../sources/pinned-snapshot.ts';
import { computeBases } from './compute-bases.ts';
import { withCountedParts } from './counted-parts.ts';
import { scanStoredKeys, type StoredKeys } from './gone-keys.ts';
import { writeNodes } from './node-writer.ts';
import type { BaseSink, PackedBase } from './packed-base.ts';
import type { RunScope } from './run-scope.ts';
import type { RunProfile } from './run-profile.ts';
import type { TouchedKeys } from './touched-keys.ts';
import type { ValueWatch } from './value-watch.ts';

export interface WriteRun {
  readonly scope: RunScope;
  readonly store: OnlineStore;
  readonly runs: Pick<Runs, 'isOpen' | 'registry'>;
  readonly row: OpenedRow;
  /** All rows of the version before it. */
  readonly earlier: readonly OpenedRow[];
  readonly touched: TouchedKeys;
  readonly snapshot: PinnedSnapshot;
  readonly lifetimeMs: LifetimeOf;
  readonly retryMs: readonly number[];
  readonly progress: Progress;
  /** Both see each pass; what they have seen at the end is of the last one. */
  readonly profile: RunProfile | undefined;
  readonly watch: ValueWatch | undefined;
}

/** Resolves once every node has the run's mark, with how many bases were written. Throws as `writeNodes`. */
export async function writeRun(request: WriteRun): Promise<{ readonly keys: number; readonly written: number }> {
  const { scope, store, runs, row, touched, lifetimeMs, retryMs, progress, profile, watch } = request;
  const { codec } = scope;
  const storeRun = await store.run({
    version: codec.version,
    entity: codec.recordsOf,
    run: row.number,
    registry: await runs.registry(),
    lifetimeMs,
    isOpen: () => runs.isOpen(row),
  });
  const done = { keys: 0, written: 0 };
  try {
    const bases = await computeBases(scope, row.number, touched, watch);
    try {
      await writeNodes({
        store,
        storeRun,
        row,
        retryMs,
        async pass(write) {
          done.keys = done.written = 0;
          profile?.reset();
          const stored = await scanIfSomeMayBeGone(request);
          const mayHaveParts = (key: EncodedKey) => stored?.mayHaveCountedParts(key) ?? false;
          const put: BaseSink = async (packed) => {
            const writes = await withCountedParts(store, codec, row.coverage, packed, mayHaveParts);
            await write(writes);
            done.written += writes.length;
            progress.advance(done.written);
          };
          try {
            await bases.each(async (packed) => {
              stored?.wrote(packed.map(({ key }) => key));
              profile?.see(packed);
              await put(packed);
              done.keys += packed.length;
            });
            if (stored !== undefined) await emptyGone(scope.asOf, request, stored, put);
          } finally {
            await stored?.close();
          }
          // Before any mark says that the pass counts.
          await request.snapshot.verify();
        },
      });
    } finally {
      await bases.close();
    }
  } finally {
    await storeRun.close();
  }
  return done;
}

async function emptyGone(asOf: Micros, { scope, row }: WriteRun, stored: StoredKeys, put: BaseSink): Promise<void> {
  const base = packBase(scope.codec, row.number, asOf, { latest: null, tiles: null });
  for await (const keys of stored.gone()) {
    await put(keys.map((key): PackedBase => ({ key, base, isPushed: false })));
  }
}

/** Where nothing can be gone the store need not be looked through, which takes as long as writing it. */
async function scanIfSomeMayBeGone(request: WriteRun): Promise<StoredKeys | undefined> {
  const { scope, store, row } = request;
  if (!row.isFull || !(await mayBeGone(request))) return undefined;
  return scanStoredKeys(scope.duckdb, store, scope.codec, row.number, row.coverage);
}

/** Only of a store that no run has written to is it sure that it holds nothing. */
async function mayBeGone({ scope, store, row, earlier }: WriteRun): Promise<boolean> {
  if (earlier.length > 0) return true;
  const marks = await store.marks(scope.codec.version);
  return marks.some(({ run }) => run !== undefined && run !== row.number);
}
