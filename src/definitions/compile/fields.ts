// Columns as written (`{ delay: t.float64() }`) to fields of the manifest, names, types and defaults checked.

import { type DataType, type Field, INVALID, toJson, typeName } from '../../core/index.ts';
import type { AboutOptions, Authored } from '../authoring/authored.ts';
import type { Columns } from '../authoring/column-type.ts';
import { describeResult, fromUser } from '../calling/user-value.ts';
import type { About } from '../manifest.ts';
import type { Mistakes } from './mistakes.ts';
import { columnMistake, dataMistake } from './names.ts';

/** Fields in declared order. `what` says what they are: `column`, `key`, `feature`. */
export function compileFields(
  columns: Columns | undefined,
  owner: Authored,
  what: string,
  checkName: (name: string) => string | undefined,
  mistakes: Mistakes,
): Field[] {
  const fields: Field[] = [];
  // The engine compares names without regard to case.
  const folded = new Map<string, string>();
  // `{ __proto__: t.int32() }` has no such member: it says what the object inherits.
  if (dataType(Object.getPrototypeOf(columns ?? {})) !== undefined)
    mistakes.add(owner, `${what} ${columnMistake('__proto__')}`);
  for (const [name, written] of Object.entries(columns ?? {})) {
    const nameMistake = checkName(name);
    if (nameMistake !== undefined) mistakes.add(owner, `${what} "${name}": ${nameMistake}`);
    const other = folded.get(name.toLowerCase());
    if (other !== undefined)
      mistakes.add(owner, `${what} "${name}" differs from "${other}" only in case. Rename one of them`);
    folded.set(name.toLowerCase(), name);
    const type = dataType(written);
    if (type === undefined) {
      mistakes.add(
        owner,
        `${what} "${name}" has no type: give one of t.bool(), t.int32(), t.int64(), t.float32(), t.float64(), t.string(), t.bytes(), t.timestamp(), t.list(T), t.vector(n)`,
      );
      continue;
    }
    checkVectorSize(type, owner, `${what} "${name}"`, mistakes);
    fields.push(withDefault({ name, type }, written.defaultValue, owner, what, mistakes));
  }
  return fields;
}

/** The field with its default in JSON form, when it has one of its type. */
export function withDefault<F extends Field>(
  field: F,
  written: unknown,
  owner: Authored,
  what: string,
  mistakes: Mistakes,
): F {
  if (written === undefined) return field;
  const value = fromUser(field.type, written);
  if (value === INVALID || value === null) {
    mistakes.add(
      owner,
      `the default of ${what} "${field.name}" must be ${typeName(field.type)}, got ${describeResult(written)}`,
    );
    return field;
  }
  const json = toJson(field.type, value);
  // A small int64 is a plain number in JSON, so that the manifest is the same after a round trip.
  const small =
    typeof json === 'bigint' && json >= BigInt(Number.MIN_SAFE_INTEGER) && json <= BigInt(Number.MAX_SAFE_INTEGER);
  return { ...field, default: small ? Number(json) : json };
}

function dataType(written: unknown): DataType | undefined {
  if (written === null || typeof written !== 'object' || !('type' in written)) return undefined;
  const type = written.type;
  // Only `t` makes objects with a type that has a kind.
  return type !== null && typeof type === 'object' && 'kind' in type ? (type as DataType) : undefined;
}

function checkVectorSize(type: DataType, owner: Authored, what: string, mistakes: Mistakes): void {
  if (type.kind === 'list') checkVectorSize(type.of, owner, what, mistakes);
  if (type.kind === 'vector' && (!Number.isInteger(type.size) || type.size < 1)) {
    mistakes.add(owner, `${what}: t.vector(${type.size}) needs a whole number of elements, 1 or more`);
  }
}

/** Fields by name. */
export function byName(fields: readonly Field[]): ReadonlyMap<string, Field> {
  return new Map(fields.map((field) => [field.name, field]));
}

/** Description, owner and tags, those that are there. */
export function compileAbout(owner: Authored, about: AboutOptions, mistakes: Mistakes): About {
  const mistake = dataMistake(about.tags);
  if (mistake !== undefined) mistakes.add(owner, `tags: ${mistake}`);
  return {
    ...(about.description === undefined ? {} : { description: about.description }),
    ...(about.owner === undefined ? {} : { owner: about.owner }),
    ...(about.tags === undefined ? {} : { tags: about.tags }),
  };
}
