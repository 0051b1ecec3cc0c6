// Differences of two values that nobody has words for as lines for people: a path, then what came (+), went (-) or became
// what (→).

import { canonicalJson, type DataType, formatDuration, typeName } from '../../core/index.ts';
import { showValue } from './lines/show.ts';
import { shownConnection } from './shown-spec.ts';

/** One line a difference; lists of named things (features, columns, steps, members) are compared by name. */
export function describeDifference(before: unknown, after: unknown): string[] {
  const lines: string[] = [];
  compare('', before, after, lines);
  return lines;
}

function compare(path: string, before: unknown, after: unknown, lines: string[]): void {
  if (canonicalJson(before ?? null) === canonicalJson(after ?? null)) return;
  if (isAbsent(before)) lines.push(`${path}: + ${show(path, after)}`);
  else if (isAbsent(after)) lines.push(`${path}: - ${show(path, before)}`);
  else if (isAtomic(before) || isAtomic(after))
    lines.push(`${path}: ${becomes(show(path, before), show(path, after))}`);
  else if (Array.isArray(before) && Array.isArray(after)) compareLists(path, before, after, lines);
  else if (Array.isArray(before) || Array.isArray(after))
    lines.push(`${path}: ${show(path, before)} → ${show(path, after)}`);
  else compareMembers(path, before, after, lines);
}

function becomes(before: string, after: string): string {
  return before === after ? `${before} (what is hidden of it differs)` : `${before} → ${after}`;
}

function compareMembers(path: string, before: object, after: object, lines: string[]): void {
  const [old, next] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  for (const name of new Set([...old.keys(), ...next.keys()])) {
    compare(path === '' ? name : `${path}.${name}`, old.get(name), next.get(name), lines);
  }
}

function compareLists(path: string, before: readonly unknown[], after: readonly unknown[], lines: string[]): void {
  if (areTexts(before) && areTexts(after)) {
    lines.push(...compareTexts(path, before, after));
    return;
  }
  const [old, next] = [byName(before), byName(after)];
  if (old === undefined || next === undefined) {
    lines.push(`${path}: ${show(path, before)} → ${show(path, after)}`);
    return;
  }
  const count = lines.length;
  for (const name of new Set([...old.keys(), ...next.keys()])) {
    compare(`${path}.${name}`, old.get(name), next.get(name), lines);
  }
  if (lines.length === count)
    lines.push(`${path}: order ${[...old.keys()].join(', ')} → ${[...next.keys()].join(', ')}`);
}

function compareTexts(path: string, before: readonly string[], after: readonly string[]): string[] {
  const came = after.filter((text) => !before.includes(text));
  const went = before.filter((text) => !after.includes(text));
  if (came.length + went.length === 0) return [`${path}: order ${before.join(', ')} → ${after.join(', ')}`];
  return [...went.map((text) => `${path}: - ${text}`), ...came.map((text) => `${path}: + ${text}`)];
}

function areTexts(items: readonly unknown[]): items is readonly string[] {
  return items.every((item) => typeof item === 'string');
}

// Undefined unless every item has a name (or a role, as a service's members have) of its own.
function byName(items: readonly unknown[]): Map<string, unknown> | undefined {
  const named = new Map<string, unknown>();
  for (const item of items) {
    if (item === null || typeof item !== 'object') return undefined;
    const name = 'name' in item ? item.name : 'role' in item ? item.role : undefined;
    if (typeof name !== 'string' || named.has(name)) return undefined;
    named.set(name, item);
  }
  return named;
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

// What reads best whole: plain values, types, references to code.
function isAtomic(value: unknown): boolean {
  return typeof value !== 'object' || value === null || isType(value) || isFunction(value);
}

function show(path: string, value: unknown): string {
  if (typeof value === 'number' && /micros$/i.test(path)) return formatDuration(value);
  if (isType(value)) return typeName(value);
  if (isFunction(value)) return `code ${value.hash.slice(0, 8)}`;
  if (hasMember(value, 'type') && isType(value.type)) return typeName(value.type);
  return showValue(path === 'location.connection' ? shownConnection(value) : value);
}

const TYPES = new Set([
  'bool',
  'int32',
  'int64',
  'float32',
  'float64',
  'string',
  'bytes',
  'timestamp',
  'list',
  'vector',
]);

// Tags and arguments may have such members too, so each shape is looked at whole.
function isType(value: unknown): value is DataType {
  if (!hasMember(value, 'kind') || typeof value.kind !== 'string' || !TYPES.has(value.kind)) return false;
  if (value.kind === 'list') return hasMember(value, 'of') && isType(value.of);
  return value.kind !== 'vector' || (hasMember(value, 'size') && typeof value.size === 'number');
}

function isFunction(value: unknown): value is { hash: string } {
  if (!hasMember(value, 'hash') || !hasMember(value, 'id')) return false;
  return typeof value.hash === 'string' && /^[0-9a-f]{64}$/.test(value.hash);
}

function hasMember<K extends string>(value: unknown, name: K): value is Record<K, unknown> {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, name);
}
