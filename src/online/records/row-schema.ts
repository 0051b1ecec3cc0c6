// A packed row's schema: its columns in order, and the fingerprint that every row carries to name it.
// The description is kept in the store, so that rows of an older schema can be read by column name.

import { canonicalJson, contentHash, type DataType, sameType, sha256Hex } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';

export interface SchemaColumn {
  readonly name: string;
  readonly type: DataType;
  /** Names the code of a derived column: the same name computed by other code is another column. */
  readonly origin?: string;
}

export interface RowSchema {
  readonly columns: readonly SchemaColumn[];
  /** Sixteen hex digits over the columns, order included. */
  readonly fingerprint: string;
}

export function rowSchema(columns: readonly SchemaColumn[]): RowSchema {
  return { columns, fingerprint: contentHash(columns).slice(0, 16) };
}

/** The schema of some of a source's columns, declared or derived. The manifest was validated: they exist. */
export function sourceRowSchema(source: SourceSpec, names: readonly string[]): RowSchema {
  return rowSchema(
    names.map((name) => {
      const derived = source.derive.find((candidate) => candidate.name === name);
      if (derived !== undefined) {
        const origin = derived.by.kind === 'function' ? derived.by.function.hash : sha256Hex(derived.by.sql);
        return { name, type: derived.type, origin };
      }
      const declared = source.columns.find((candidate) => candidate.name === name);
      if (declared === undefined) throw new Error(`source "${source.name}" has no column "${name}"`);
      return { name, type: declared.type };
    }),
  );
}

/** The description as it lies in the store. */
export function describeSchema(schema: RowSchema): string {
  return canonicalJson(schema.columns);
}

/** Reads a description back; undefined when it is not the one that the fingerprint names. */
export function parseSchema(fingerprint: string, text: string): RowSchema | undefined {
  // Its hash is checked right below, so it is what `describeSchema` wrote.
  const schema = rowSchema(JSON.parse(text) as SchemaColumn[]);
  return schema.fingerprint === fingerprint ? schema : undefined;
}

/** Where a wanted column is found in a stored row: its index there, or why it cannot be had. */
export type ColumnSource = number | 'missing' | 'changed';

/** Maps wanted columns onto a stored schema by name; another type or other code is `changed`, never converted. */
export function mapColumns(stored: RowSchema, wanted: RowSchema): ColumnSource[] {
  return wanted.columns.map((column) => {
    const index = stored.columns.findIndex((candidate) => candidate.name === column.name);
    if (index < 0) return 'missing';
    const found = stored.columns[index] as SchemaColumn;
    return sameType(found.type, column.type) && found.origin === column.origin ? index : 'changed';
  });
}
