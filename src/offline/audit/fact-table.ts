// The facts that an audit has read, in a table: they may be more than memory holds.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { DataType, Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { nodeDuckType, quoteName } from '../../storage/index.ts';
import { createRowAppender, type RowAppender } from '../duckdb/row-appender.ts';
import type { TimedRow } from './rules.ts';

export class FactTable {
  readonly name: string;
  readonly #source: SourceSpec;
  readonly #rows: RowAppender;

  private constructor(name: string, source: SourceSpec, rows: RowAppender) {
    this.name = name;
    this.#source = source;
    this.#rows = rows;
  }

  static async open(connection: DuckDBConnection, source: SourceSpec): Promise<FactTable> {
    const name = quoteName(`__hr_audit_${source.name}`);
    const columns = [...source.columns, ...source.derive].map(
      ({ name: column, type }) => `${quoteName(column)} ${String(nodeDuckType(type))}`,
    );
    const places = [
      '__hr_event BIGINT',
      '__hr_known BIGINT',
      '__hr_writer INTEGER',
      '__hr_offset BIGINT',
      '__hr_logged BIGINT',
    ];
    await connection.run(`CREATE OR REPLACE TEMP TABLE ${name} (${[...columns, ...places].join(', ')})`);
    const placeTypes: DataType[] = (['int64', 'int64', 'int32', 'int64', 'int64'] as const).map((kind) => ({ kind }));
    const types = [...source.columns, ...source.derive].map(({ type }) => type);
    return new FactTable(
      name,
      source,
      await createRowAppender(connection, `__hr_audit_${source.name}`, [...types, ...placeTypes]),
    );
  }

  /** Rows that match nothing are left out. */
  add({ row, event, known }: TimedRow, place?: { writer: number; offset: number; logged: Micros }): void {
    if (event === null || known === null) return;
    const values = [...this.#source.columns, ...this.#source.derive].map(({ name }) => row[name] ?? null);
    const places =
      place === undefined ? [null, null, null] : [place.writer, BigInt(place.offset), BigInt(place.logged)];
    this.#rows.add([...values, BigInt(event), BigInt(known), ...places]);
  }

  close(): void {
    this.#rows.close();
  }
}
