// Which rows of files that rules set apart were put back, and when: known by the hash of what they hold.

import type { Releases } from '../../checks/index.ts';
import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { nodeDuckType, quoteName } from '../../storage/index.ts';
import { rowHashSql } from '../checks/row-hash.ts';
import { createRowAppender } from '../duckdb/row-appender.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { TimedRow } from './rules.ts';

/** When each of some rows was released; those that were not are not in it. */
export function releasesOf(
  source: SourceSpec,
  releases: Releases,
  deps: OfflineDeps,
): (rows: readonly TimedRow[]) => Promise<ReadonlyMap<TimedRow, Micros>> {
  const lists = releases
    .of(source.name)
    .filter(({ columns }) => columns.every(({ name }) => source.columns.some((column) => column.name === name)));
  return async (rows) => {
    const found = new Map<TimedRow, Micros>();
    if (rows.length === 0 || lists.length === 0) return found;
    const own = await deps.duckdb.connect();
    try {
      const table = '__hr_audit_released';
      const columns = source.columns.map(({ name, type }) => `${quoteName(name)} ${String(nodeDuckType(type))}`);
      await own.run(`CREATE OR REPLACE TEMP TABLE ${table} (${columns.join(', ')})`);
      const appender = await createRowAppender(
        own,
        table,
        source.columns.map(({ type }) => type),
      );
      for (const { row } of rows) appender.add(source.columns.map(({ name }) => row[name] ?? null));
      appender.close();
      for (const { columns: by, hashes } of lists) {
        const read = await own.runAndReadAll(`SELECT ${rowHashSql(by)} FROM ${table}`);
        read.getRows().forEach(([hash], i) => {
          const since = hashes.get(String(hash));
          const row = rows[i] as TimedRow;
          if (since !== undefined) found.set(row, Math.min(since, found.get(row) ?? Infinity));
        });
      }
      return found;
    } finally {
      own.closeSync();
    }
  };
}
