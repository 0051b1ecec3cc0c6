// Values that the log holds in the type that their column once had, and that its type of now cannot say: nulls that nobody
// pushed. They are counted wherever the log is read, as what was a value must not turn to nothing in silence.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Logger } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';

/** By column; a column without any is left out. A list counts once, however many of its items are null for it. */
export type Unconverted = Readonly<Record<string, number>>;

/** The text in `__hr_lost`: of a row's columns the places, in the source's order; null for none. */
export function lostText({ columns }: SourceSpec, lost: readonly string[] | undefined): string | null {
  return lost === undefined ? null : lost.map((name) => columns.findIndex((column) => column.name === name)).join(' ');
}

/** Of the rows of a relation of facts. Reads one column, which is null throughout where no type ever changed. */
export async function countUnconverted(
  connection: DuckDBConnection,
  { columns }: SourceSpec,
  relation: string,
): Promise<Unconverted> {
  const read = await connection.runAndReadAll(
    `SELECT __hr_lost, CAST(count(*) AS DOUBLE) FROM ${relation} WHERE __hr_lost IS NOT NULL GROUP BY __hr_lost`,
  );
  const groups = read.getRows() as [string, number][];
  const counts = columns.map(({ name }, place): [string, number] => [
    name,
    groups.reduce((sum, [places, rows]) => (places.split(' ').includes(String(place)) ? sum + rows : sum), 0),
  ]);
  return Object.fromEntries(counts.filter(([, rows]) => rows > 0));
}

/** Says it in the program's log, where there are any. */
export function warnOfUnconverted(
  logger: Logger,
  of: { readonly view?: string; readonly source: string },
  unconverted: Unconverted,
): void {
  if (Object.keys(unconverted).length === 0) return;
  logger.warn({ ...of, unconverted }, 'pushed values that the type of their column cannot say any more count as null');
}
