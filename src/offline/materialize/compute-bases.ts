// A run's bases, however the view wants them computed: made ready once, given as often as nodes ask for a pass.

import { packFolded } from './folded-bases.ts';
import { makeKeyTable } from './key-table.ts';
import { packLatest } from './latest-bases.ts';
import type { BaseSink } from './packed-base.ts';
import type { RunScope } from './run-scope.ts';
import { findSpecialKeys } from './special-keys.ts';
import type { TouchedKeys } from './touched-keys.ts';
import type { ValueWatch } from './value-watch.ts';
import { dropTables } from './work-table.ts';

export interface Bases {
  /** Every touched key's base, once. */
  each(sink: BaseSink): Promise<void>;
  close(): Promise<void>;
}

/** `watch` sees the values of each pass. */
export async function computeBases(
  scope: RunScope,
  run: number,
  touched: TouchedKeys,
  watch?: ValueWatch,
): Promise<Bases> {
  const { connection, codec } = scope;
  if (codec.aggregator !== null) {
    // A view with windows has a table of all its touched keys.
    const keys = await makeKeyTable(scope, touched.table as string, touched);
    return {
      async each(sink) {
        watch?.reset();
        await packFolded(scope, run, keys, sink, watch);
      },
      close: () => dropTables(connection, keys.tables),
    };
  }
  const special = await findSpecialKeys(scope, touched);
  const keys = special === null ? null : await makeKeyTable(scope, special, touched);
  return {
    async each(sink) {
      watch?.reset();
      await packLatest(scope, run, { table: touched.table, except: special }, sink, watch);
      if (keys !== null) await packFolded(scope, run, keys, sink, watch);
    },
    close: () => dropTables(connection, [special, ...(keys?.tables ?? [])]),
  };
}
