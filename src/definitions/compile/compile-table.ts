// Where a table of a lake lies: its folder, or its name in a catalog.

import type { AuthoredSource } from '../authoring/authored.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

/** `location` is what was written; what in it is no text was told. */
export function compileTable(
  source: AuthoredSource,
  location: Readonly<Record<string, string>>,
  mistakes: Mistakes,
): Readonly<Record<string, string>> {
  const { path, catalog, table } = location;
  const isIceberg = source.sourceKind === 'iceberg';
  if (isIceberg && (path === undefined) === (catalog === undefined && table === undefined))
    mistakes.add(source, 'it needs either `path`, or `catalog` and `table`', [1]);
  else if (!isIceberg && path === undefined)
    mistakes.add(
      source,
      "it needs `path`: the table's folder, relative to the repository, absolute, or s3://bucket/…",
      [1],
    );
  if (typeof path === 'string' && /[*?]/.test(path))
    mistakes.add(source, `path ${showName(path)} must be one table's folder: a pattern names files`, [1, 'path']);
  if (path !== undefined || !isIceberg) return location;
  if (catalog !== undefined && table === undefined)
    mistakes.add(source, "it needs `table`: its name in the catalog, such as 'shop.events'", [1]);
  if (table !== undefined && catalog === undefined)
    mistakes.add(source, "it needs `catalog`: the variable that holds the catalog's URL, as 'env:NAME'", [1]);
  if (typeof table === 'string' && table.trim() !== '' && !/^[^.]+(\.[^.]+)+$/.test(table))
    mistakes.add(source, `table ${showName(table)} needs its namespace: write it like 'shop.events'`, [1, 'table']);
  return location;
}
