// What the folders of a source of files say of its rows' event times.

import { didYouMean } from '../../core/index.ts';
import type { AuthoredSource } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import type { PartitionUnit, SourceSpec } from '../manifest.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

const UNITS: readonly PartitionUnit[] = ['date', 'year', 'month', 'day', 'hour'];
/** Together they say a stretch of time. */
const WHOLE = ['date', 'date hour', 'year', 'year month', 'year month day', 'year month day hour'];

export function compilePartitions(source: AuthoredSource, mistakes: Mistakes): Pick<SourceSpec, 'partitions'> {
  const given: unknown = source.options.partitions;
  if (given === undefined) return {};
  const at = [1, 'partitions'];
  if (given === null || typeof given !== 'object' || Array.isArray(given)) {
    mistakes.add(source, `partitions must say what folders mean, as { dt: 'date' }, got ${describeResult(given)}`, at);
    return {};
  }
  const entries = Object.entries(given);
  for (const [name, unit] of entries) {
    if (UNITS.includes(unit as PartitionUnit)) continue;
    const shown = typeof unit === 'string' ? didYouMean(unit, UNITS) : '';
    mistakes.add(
      source,
      `partition ${showName(name)} must be ${UNITS.join(', ')}, got ${describeResult(unit)}.${shown}`,
      [...at, name],
    );
    return {};
  }
  const units = UNITS.filter((unit) => entries.some(([, its]) => its === unit));
  if (units.length !== entries.length || !WHOLE.includes(units.join(' ')))
    mistakes.add(
      source,
      "partitions must say a stretch of time, each part once: { dt: 'date' }, or year, year and month, … down to the hour",
      at,
    );
  // Units were compared with all that there are.
  return { partitions: given as NonNullable<SourceSpec['partitions']> };
}
