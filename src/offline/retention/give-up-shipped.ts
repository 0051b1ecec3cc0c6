// Giving up shipped events by hand, where their segment is damaged and there is no copy: they go as by retention, though no
// run may have covered them. The writer goes on, if it lives: what it has not shipped is left alone.

import { HeadraceError } from '../../core/index.ts';
import type { EventLog } from '../../events/index.ts';
import type { Database } from '../../storage/index.ts';
import { openRetentionTable } from './retention-table.ts';

export interface GivenUp {
  /** The last cut that went; 0 for none. */
  readonly cut: number;
  /** Rows by source, as far as it is known what the cuts held; those of void entries too. */
  readonly rows: ReadonlyMap<string, number>;
}

/** Cuts up to `through`, as far as they are shipped. Throws HR_UNKNOWN_WRITER, HR_STORAGE_UNAVAILABLE; a repeat goes on. */
export async function giveUpShipped(
  { log, database }: { readonly log: EventLog; readonly database: Database },
  writer: number,
  through: number,
): Promise<GivenUp> {
  const row = (await log.writers()).find(({ number }) => number === writer);
  if (row === undefined) {
    const sentence = `the registry has no writer ${writer}; headrace log list shows those it has`;
    throw new HeadraceError('HR_UNKNOWN_WRITER', sentence);
  }
  const cut = Math.min(through, row.shipped);
  const rows = new Map<string, number>();
  for (const contents of await log.contents()) {
    if (contents.writer !== writer || contents.cut > cut) continue;
    for (const [source, count] of contents.rows ?? []) rows.set(source, (rows.get(source) ?? 0) + count);
  }
  await (await openRetentionTable(database)).noteSources([...rows.keys()]);
  await log.remove(new Map([[writer, cut]]));
  return { cut, rows };
}
