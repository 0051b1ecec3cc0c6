// Columns as written (`{ delay: t.float64() }`) to fields of the manifest, names, types and defaults checked.

import { type DataType, type Field, INVALID, toJson, typeName, type Value } from '../../core/index.ts';
import { type AboutOptions, type Authored, authored } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { Columns } from '../authoring/column-type.ts';
import { describeResult, fromUser } from '../calling/user-value.ts';
import type { About } from '../manifest.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { columnMistake, dataMistake, showName } from './names.ts';

const MOST_LISTS = 3;

/**
 * Fields in declared order. `what` says what they are: `column`, `key`, `feature`; `at`, where they stand in the call.
 * `isAsked`: whether requests carry them, so that they may be optional.
 */
export function compileFields(
  columns: Columns | undefined,
  owner: Authored,
  what: string,
  at: Path,
  checkName: (name: string) => string | undefined,
  mistakes: Mistakes,
  isAsked = false,
): Field[] {
  const fields: Field[] = [];
  if (columns !== undefined && !expectRecord(owner, `${what}s`, columns, at, mistakes)) return fields;
  // The engine compares names without regard to case.
  const folded = new Map<string, string>();
  // `{ __proto__: t.int32() }` has no such member: it says what the object inherits.
  if (dataType(Object.getPrototypeOf(columns ?? {})) !== undefined)
    mistakes.add(owner, `${what} "__proto__": ${columnMistake('__proto__')}`, at);
  for (const [name, written] of Object.entries(columns ?? {})) {
    const here = [...at, name];
    const shown = `${what} ${showName(name)}`;
    const nameMistake = checkName(name);
    if (nameMistake !== undefined) mistakes.add(owner, `${shown}: ${nameMistake}`, here);
    const other = folded.get(name.toLowerCase());
    if (other !== undefined)
      mistakes.add(owner, `${shown} differs from ${showName(other)} only in case. Rename one of them`, here);
    folded.set(name.toLowerCase(), name);
    const type = dataType(written);
    if (type === undefined) {
      mistakes.add(owner, `${shown} has no type: ${howToType(written)}`, here);
      continue;
    }
    checkType(type, owner, shown, here, mistakes);
    const field = withDefault<Field>({ name, type }, written.defaultValue, owner, what, here, mistakes);
    if (written.isOptional === true && !isAsked)
      mistakes.add(owner, `${shown} can't be optional: that is for request columns and keys. Every other may be null`, [
        ...here,
        { method: 'optional' },
      ]);
    // A default says that it may be absent, and what it is then.
    const isOptional = written.isOptional === true && isAsked && field.default === undefined;
    fields.push(isOptional ? { ...field, isOptional } : field);
  }
  return fields;
}

/** The field with its default in JSON form, when it has one of its type. */
export function withDefault<F extends Field>(
  field: F,
  written: unknown,
  owner: Authored,
  what: string,
  at: Path,
  mistakes: Mistakes,
): F {
  if (written === undefined) return field;
  const value = fromUser(field.type, written);
  if (value === INVALID || value === null) {
    mistakes.add(
      owner,
      `the default of ${what} ${showName(field.name)} must be ${typeName(field.type)}, got ${describeResult(written)}`,
      [...at, { method: 'default' }, 0],
    );
    return field;
  }
  return { ...field, default: manifestJson(field.type, value) };
}

/** A value as the manifest has it: a small int64 as a plain number, so that the manifest is the same after a round trip. */
export function manifestJson(type: DataType, value: Value): unknown {
  const json = toJson(type, value);
  const small =
    typeof json === 'bigint' && json >= BigInt(Number.MIN_SAFE_INTEGER) && json <= BigInt(Number.MAX_SAFE_INTEGER);
  return small ? Number(json) : json;
}

function dataType(written: unknown): DataType | undefined {
  if (written === null || typeof written !== 'object' || !('type' in written)) return undefined;
  const type = written.type;
  if (type === null || typeof type !== 'object' || !('kind' in type)) return undefined;
  if (type.kind === 'list' && dataType({ type: 'of' in type ? type.of : undefined }) === undefined) return undefined;
  // Only `t` makes objects with a type that has a kind.
  return type as DataType;
}

function howToType(written: unknown): string {
  const all =
    't.bool(), t.int32(), t.int64(), t.float32(), t.float64(), t.string(), t.bytes(), t.timestamp(), t.list(T), t.vector(n)';
  return typeof written === 'function' ? 'it got a function. Call it, as in t.string()' : `give one of ${all}`;
}

function checkType(type: DataType, owner: Authored, what: string, at: Path, mistakes: Mistakes, lists = 0): void {
  if (type.kind === 'list') {
    if (lists < MOST_LISTS) checkType(type.of, owner, what, at, mistakes, lists + 1);
    else mistakes.add(owner, `${what}: lists stand in lists at most ${MOST_LISTS} deep. Make it flatter`, at);
  }
  if (type.kind === 'vector' && !(Number.isInteger(type.size) && type.size >= 1)) {
    const given = describeResult(type.size);
    mistakes.add(owner, `${what}: t.vector(n) needs a whole number of elements, 1 or more, got ${given}`, at);
  }
}

/** Description, owner and tags, those that are there. `at` is where they stand in the call. */
export function compileAbout(owner: Authored, about: AboutOptions, at: Path, mistakes: Mistakes): About {
  for (const member of ['description', 'owner'] as const) {
    const value: unknown = about[member];
    if (value !== undefined && typeof value !== 'string')
      mistakes.add(owner, `${member} must be text, got ${describeResult(value)}`, [...at, member]);
  }
  checkTags(owner, about.tags, [...at, 'tags'], mistakes);
  return {
    ...(about.description === undefined ? {} : { description: about.description }),
    ...(about.owner === undefined ? {} : { owner: about.owner }),
    ...(about.tags === undefined ? {} : { tags: about.tags }),
  };
}

function checkTags(owner: Authored, tags: unknown, at: Path, mistakes: Mistakes): void {
  if (tags === undefined) return;
  if (tags === null || typeof tags !== 'object' || Array.isArray(tags)) {
    mistakes.add(owner, `tags must be an object of texts: { team: 'ops' }, got ${describeResult(tags)}`, at);
    return;
  }
  const mistake = dataMistake(tags);
  if (mistake !== undefined) mistakes.add(owner, `tags: ${mistake}`, at);
  for (const [name, value] of Object.entries(tags)) {
    if (typeof value !== 'string')
      mistakes.add(owner, `tag ${showName(name)} must be text, got ${describeResult(value)}`, [...at, name]);
  }
}

/** Whether nothing was written where members belong; what is no object is told by `expectRecord`. */
export function hasNone(written: unknown): boolean {
  return (
    written === undefined || (written !== null && typeof written === 'object' && Object.keys(written).length === 0)
  );
}

/** Reports what has no members to go through: text, a list, an object of the authoring API. */
export function expectRecord(
  owner: Authored,
  what: string,
  value: unknown,
  at: Path,
  mistakes: Mistakes,
  of?: Authored,
): boolean {
  if (value !== null && typeof value === 'object' && !Array.isArray(value) && authored(value) === undefined)
    return true;
  mistakes.add(owner, `${what} must be an object, got ${describeAuthored(value)}`, at, of);
  return false;
}

/** Reports what is no text, or is empty. */
export function expectText(
  owner: Authored,
  what: string,
  value: unknown,
  at: Path,
  mistakes: Mistakes,
  of?: Authored,
): void {
  if (typeof value !== 'string' || value.trim() === '')
    mistakes.add(owner, `${what} must be text that is not empty, got ${describeResult(value)}`, at, of);
}
