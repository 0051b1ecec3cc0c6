// A source as written to its spec: columns, derived columns, times, location.

import { didYouMean, type Field, type Micros, parseDuration, sha256Hex, typeName } from '../../core/index.ts';
import type { AuthoredSource } from '../authoring/authored.ts';
import type { DeriveSpec, SourceSpec, UserFunction } from '../manifest.ts';
import { own } from '../own.ts';
import { compileAbout, compileFields } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { columnMistake, labelMistake } from './names.ts';

export function compileSource(
  source: AuthoredSource,
  functions: Map<string, UserFunction>,
  mistakes: Mistakes,
): SourceSpec {
  const { options } = source;
  const nameMistake = labelMistake(source.name);
  if (nameMistake !== undefined) mistakes.add(source, nameMistake);
  const columns = compileFields(options.columns, source, 'column', columnMistake, mistakes);
  if (columns.length === 0) mistakes.add(source, 'it has no columns: list them in `columns: { name: t.string(), … }`');
  const derive = compileDerived(source, columns, functions, mistakes);
  const all = [...columns, ...derive];
  expectColumn(source, 'eventTime', options.eventTime, 'timestamp', all, mistakes);
  if (options.tombstone !== undefined) expectColumn(source, 'tombstone', options.tombstone, 'bool', all, mistakes);
  if (options.createdOrder !== undefined)
    expectColumn(source, 'createdOrder', options.createdOrder, undefined, columns, mistakes);
  const pushes = options.pushes ?? (source.sourceKind === 'pushed' ? 'keep' : 'until-materialized');
  return {
    ...compileAbout(source, options, mistakes),
    name: source.name,
    kind: source.sourceKind,
    location: compileLocation(source, mistakes),
    columns,
    derive,
    eventTime: options.eventTime,
    knownTime: compileKnownTime(source, all, mistakes),
    ...(options.createdOrder === undefined ? {} : { createdOrder: options.createdOrder }),
    ...(options.tombstone === undefined ? {} : { tombstone: options.tombstone }),
    pushes,
    ...compileCompleteAfter(source, pushes, mistakes),
  };
}

function compileCompleteAfter(
  source: AuthoredSource,
  pushes: SourceSpec['pushes'],
  mistakes: Mistakes,
): Pick<SourceSpec, 'completeAfterMicros'> {
  const { completeAfter } = source.options;
  if (completeAfter === undefined) return {};
  if (pushes === 'keep')
    mistakes.add(source, "`completeAfter` is for files that get pushed events later: leave it out with pushes: 'keep'");
  const micros = duration(source, 'completeAfter', completeAfter, true, mistakes);
  // No time at all is what is meant without it: one meaning, one manifest.
  return micros === 0 ? {} : { completeAfterMicros: micros };
}

/** The source's columns as views see them: those that lie there, then the derived ones. */
export function sourceFields(spec: SourceSpec): readonly Field[] {
  return [...spec.columns, ...spec.derive.map(({ name, type }) => ({ name, type }))];
}

function compileDerived(
  source: AuthoredSource,
  columns: readonly Field[],
  functions: Map<string, UserFunction>,
  mistakes: Mistakes,
): DeriveSpec[] {
  const entries = Object.entries(source.options.derive ?? {});
  const types = Object.fromEntries(entries.map(([name, entry]) => [name, Array.isArray(entry) ? entry[0] : undefined]));
  // compileFields reports an entry without a type.
  const fields = compileFields(
    types as Readonly<Record<string, never>>,
    source,
    'derived column',
    columnMistake,
    mistakes,
  );
  const taken = new Map(columns.map((column) => [column.name.toLowerCase(), column.name]));
  return fields.flatMap(({ name, type }): DeriveSpec[] => {
    const other = taken.get(name.toLowerCase());
    if (other !== undefined)
      mistakes.add(source, `derived column "${name}" has the name of column "${other}". Rename it`);
    const by: unknown = own(source.options.derive ?? {}, name)?.[1];
    if (typeof by === 'function') {
      const id = `source/${source.name}/derive/${name}`;
      functions.set(id, by as UserFunction);
      return [{ name, type, by: { kind: 'function', function: { id, hash: sha256Hex(by.toString()) } } }];
    }
    if (by !== null && typeof by === 'object' && 'sql' in by && typeof by.sql === 'string' && by.sql !== '') {
      return [{ name, type, by: { kind: 'sql', sql: by.sql } }];
    }
    mistakes.add(source, `derived column "${name}" must be [type, (row) => value] or [type, sql\`…\`]`);
    return [];
  });
}

function expectColumn(
  source: AuthoredSource,
  member: string,
  column: string | undefined,
  kind: string | undefined,
  all: readonly Field[],
  mistakes: Mistakes,
): void {
  if (typeof column !== 'string') {
    mistakes.add(source, `it needs \`${member}\`: the name of a ${kind ?? ''} column`);
    return;
  }
  const field = all.find((candidate) => candidate.name === column);
  if (field === undefined) {
    mistakes.add(
      source,
      `${member} names column "${column}", which it does not have.${didYouMean(
        column,
        all.map(({ name }) => name),
      )}`,
    );
  } else if (kind !== undefined && field.type.kind !== kind) {
    mistakes.add(
      source,
      `${member} must be a ${kind} column, and "${column}" is ${typeName(field.type)}. Declare it as t.${kind}() or name another`,
    );
  }
}

function compileKnownTime(source: AuthoredSource, all: readonly Field[], mistakes: Mistakes): SourceSpec['knownTime'] {
  const { knownTime, eventTime } = source.options;
  if (knownTime === undefined) return { kind: 'column', column: eventTime };
  if (typeof knownTime === 'string') {
    expectColumn(source, 'knownTime', knownTime, 'timestamp', all, mistakes);
    return { kind: 'column', column: knownTime };
  }
  return { kind: 'after', micros: duration(source, 'knownTime.after', knownTime?.after, true, mistakes) };
}

/** A duration in microseconds; a bad one is reported and given as 1, so that the rest can be checked too. */
export function duration(
  owner: Parameters<Mistakes['add']>[0],
  member: string,
  text: unknown,
  zeroAllowed: boolean,
  mistakes: Mistakes,
): Micros {
  const micros = typeof text === 'string' ? parseDuration(text) : undefined;
  if (micros !== undefined && (zeroAllowed || micros > 0)) return micros;
  const rule = micros === 0 ? 'must be longer than zero' : `is not a duration`;
  mistakes.add(owner, `${member} ${JSON.stringify(text)} ${rule}: write it like '5m', '12h', '7d' or '1h30m'`);
  return 1;
}

function compileLocation(source: AuthoredSource, mistakes: Mistakes): Readonly<Record<string, string>> {
  const given = Object.entries(source.location).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const location = Object.fromEntries(given);
  for (const [member, value] of given) {
    if (member === 'connection') checkConnection(source, value, mistakes);
    else if (typeof value !== 'string' || value.trim() === '')
      mistakes.add(source, `\`${member}\` must be text that is not empty`);
  }
  if (source.sourceKind === 'pushed') return {};
  if (source.sourceKind === 'parquet' || source.sourceKind === 'csv' || source.sourceKind === 'iceberg') {
    if (location['path'] === undefined)
      mistakes.add(source, 'it needs `path`: a glob, relative to the repository, absolute, or s3://bucket/…');
    return location;
  }
  if (location['connection'] === undefined)
    mistakes.add(source, "it needs `connection`: the variable that holds the database's URL, as 'env:NAME'");
  if ((location['table'] === undefined) === (location['query'] === undefined))
    mistakes.add(source, 'it needs either `table` or `query`, one of them');
  return location;
}

// The manifest is kept for ever and shown to many: a URL, which holds a password, is no part of it. What came instead is
// not told, since it may be one.
function checkConnection(source: AuthoredSource, connection: unknown, mistakes: Mistakes): void {
  if (typeof connection === 'string' && /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(connection)) return;
  // A name that is none is told by itself.
  const name = labelMistake(source.name) === undefined ? source.name.toUpperCase().replaceAll('-', '_') : 'DATABASE';
  mistakes.add(
    source,
    `\`connection\` must name an environment variable that holds the database's URL: write connection: 'env:${name}_URL'`,
  );
}
