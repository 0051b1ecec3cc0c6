// Bases of a view without windows: one query finds each key's winning row, and its columns go straight into bytes.

import { readAhead } from '../duckdb/read-ahead.ts';
import { createBasePacker } from './base-packer.ts';
import { isWhole, keyed, keyNames, keyType, sameKey, streamedKey } from './fact-sql.ts';
import { createKeyReader } from './key-column.ts';
import { readLatestRows } from './latest-rows.ts';
import type { BaseSink, PackedBase } from './packed-base.ts';
import type { RunScope } from './run-scope.ts';
import type { ValueWatch } from './value-watch.ts';
import { winnerColumns, winnersOnly } from './winner-sql.ts';

/** Of the keys of `table` (null: all) that have facts known by `asOf`, but for those of `except`. */
export async function packLatest(
  scope: RunScope,
  run: number,
  { table, except }: { readonly table: string | null; readonly except: string | null },
  sink: BaseSink,
  watch?: ValueWatch,
): Promise<void> {
  const { connection, codec, facts, asOf } = scope;
  const names = keyNames(codec);
  const keys = names.map((name, i) => streamedKey(name, keyType(codec, i)));
  const only = table === null ? '' : ` SEMI JOIN ${table} AS touched ON ${sameKey(codec, 'facts', 'touched')}`;
  const not = except === null ? '' : ` ANTI JOIN ${except} AS others ON ${sameKey(codec, 'facts', 'others')}`;
  // In the keys' order: a tree of keys is filled several times as fast from its left to its right.
  const stream = await connection.stream(
    `SELECT * EXCLUDE (${names.map((_, i) => `__hr_s${i}`).join(', ')}) FROM (` +
      `SELECT ${[...names.map((name, i) => `${name} AS __hr_s${i}`), ...keys, ...winnerColumns(codec)].join(', ')} ` +
      `FROM ${keyed(codec, facts.relation)} AS facts${only}${not} WHERE ${isWhole(codec)} AND __hr_known <= ${asOf} ` +
      `${winnersOnly(codec, names)}) ORDER BY ${names.map((_, i) => `__hr_s${i}`).join(', ')}`,
  );
  const readKeys = createKeyReader(codec.keyTypes);
  const pack = createBasePacker(codec, run, asOf);
  for await (const chunk of readAhead(stream)) {
    const encoded = readKeys(chunk, 0);
    const rows = readLatestRows(chunk, names.length, codec);
    watch?.ofRows(rows);
    const bases = pack(rows);
    await sink(encoded.map((key, i): PackedBase => ({ key, base: bases[i] as Uint8Array, isPushed: false })));
  }
}
