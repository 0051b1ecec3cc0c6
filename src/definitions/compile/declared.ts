// What is declared by name, whether it could be understood or not. Who refers to it by that name makes no mistake of their
// own: what is wrong with it is told of itself, once.

import type { Field } from '../../core/index.ts';
import type { AuthoredSource } from '../authoring/authored.ts';

/** Columns by name; undefined is one that is declared and was not understood. */
export type DeclaredColumns = ReadonlyMap<string, Field | undefined>;

/** The names of the members that were written; none where what came is no object. */
export function declaredNames(written: unknown): readonly string[] {
  return written !== null && typeof written === 'object' && !Array.isArray(written) ? Object.keys(written) : [];
}

/** `fields`: those of `written` that were understood. */
export function declaredFields(written: unknown, fields: readonly Field[]): DeclaredColumns {
  return new Map([
    ...declaredNames(written).map((name) => [name, undefined] as const),
    ...fields.map((field) => [field.name, field] as const),
  ]);
}

/** A source's columns as views see them: those that lie there, then the derived ones. */
export function declaredColumns({ options }: AuthoredSource, fields: readonly Field[]): DeclaredColumns {
  return new Map([...declaredFields(options.columns, []), ...declaredFields(options.derive, fields)]);
}
