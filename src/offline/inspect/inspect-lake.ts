// Columns of an Iceberg or a Delta table, as they are at its newest snapshot.

import type { SourceSpec } from '../../definitions/index.ts';
import { describeTable } from '../sources/lake/describe-table.ts';
import type { PlaceDeps } from '../sources/source-deps.ts';
import { typeOfDuck } from './inspect-files.ts';
import type { InspectedColumn } from './inspected.ts';

/** `location` as a source of that kind has it. Errors as the reading of such a source has them. */
export async function inspectLake(
  kind: 'iceberg' | 'delta',
  location: SourceSpec['location'],
  directory: string,
  deps: PlaceDeps,
): Promise<readonly InspectedColumn[]> {
  const { columns } = await describeTable({ kind, location }, directory, shownPlace(location), deps);
  return columns.map(({ name, type }) => ({ name, type, suggested: typeOfDuck(type) }));
}

const shownPlace = ({ path, catalog, table }: SourceSpec['location']): string => path ?? `${catalog} ${table}`;
