// A source in a database, asked for as a run asks for it.

import type { DataType, Field, Row } from '../../src/core/index.ts';
import type { OfflineWorld } from './offline-world.ts';
import { type Asked, readSource } from './read-source.ts';

export const valueOf = (type: DataType): Field[] => [{ name: 'v', type }];

/** What is asked of an address, which says nothing for so long at most. */
export const through = (address: string | undefined, silenceMs = 20_000): Pick<Asked, 'remote'> => ({
  remote: { variable: () => address, databases: { backoffMs: 1, silenceMs } },
});

/** Reads of a database at `url`, where `more` names no other. */
export function databaseReader(world: OfflineWorld, kind: Asked['kind'], url: () => string) {
  const read = (columns: readonly Field[], location: object, more: Partial<Asked> = {}): Promise<Row[]> =>
    readSource(world, {
      kind,
      columns,
      location: { connection: 'env:ORDERS_URL', ...location },
      ...through(url()),
      ...more,
    });
  return {
    read,
    table: (columns: readonly Field[], table: string, more?: Partial<Asked>) => read(columns, { table }, more),
    query: (columns: readonly Field[], query: string, more?: Partial<Asked>) => read(columns, { query }, more),
  };
}
