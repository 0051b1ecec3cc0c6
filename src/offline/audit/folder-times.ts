// What the folders of a file say of its rows (`…/dt=2026-01-05/hour=3/part-0.parquet`), and whether a row's own time agrees with it.

import { type Micros, toDate } from '../../core/index.ts';
import type { PartitionUnit, SourceSpec } from '../../definitions/index.ts';

/** How Hive writes a null. */
const NO_VALUE = '__HIVE_DEFAULT_PARTITION__';

/** Decoded, by names in lower case. */
export function valuesOfFolders(path: string): ReadonlyMap<string, string | null> {
  const values = new Map<string, string | null>();
  for (const folder of path.split('/').slice(0, -1)) {
    const at = folder.indexOf('=');
    if (at < 1) continue;
    const text = folder.slice(at + 1);
    values.set(folder.slice(0, at).toLowerCase(), text === NO_VALUE ? null : decoded(text));
  }
  return values;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The folder that denies a row's event time (`dt=2026-01-05`); undefined where none does, and where folders say no time. */
export function denyingFolder({ partitions = {} }: SourceSpec, path: string, event: Micros): string | undefined {
  const values = valuesOfFolders(path);
  const at = toDate(event);
  const own: Readonly<Record<Exclude<PartitionUnit, 'date'>, number>> = {
    year: at.getUTCFullYear(),
    month: at.getUTCMonth() + 1,
    day: at.getUTCDate(),
    hour: at.getUTCHours(),
  };
  for (const [name, unit] of Object.entries(partitions)) {
    const value = values.get(name.toLowerCase()) ?? '';
    const isDenied =
      unit === 'date'
        ? /^\d{4}-?\d{2}-?\d{2}$/.test(value) &&
          value.replaceAll('-', '') !== at.toISOString().slice(0, 10).replaceAll('-', '')
        : /^\d{1,4}$/.test(value) && Number(value) !== own[unit];
    if (isDenied) return `${name}=${value}`;
  }
  return undefined;
}
