// A source as written to its spec: columns, derived columns, times, location.

import { didYouMean, type Field, typeName } from '../../core/index.ts';
import type { AuthoredSource } from '../authoring/authored.ts';
import { findSlips } from '../authoring/call.ts';
import { KNOWN_TIME_OPTIONS } from '../authoring/source.ts';
import { describeResult } from '../calling/user-value.ts';
import type { DeriveSpec, SourceSpec, UserFunction } from '../manifest.ts';
import { deriveId } from '../function-id.ts';
import { isLogAlone } from '../log-alone.ts';
import { own } from '../own.ts';
import { compileKafka } from './compile-kafka.ts';
import { compilePartitions } from './compile-partitions.ts';
import { compileQuery } from './compile-query.ts';
import { tableParts } from '../table-name.ts';
import { compileSourceExpect } from './compile-expect.ts';
import { compileTable } from './compile-table.ts';
import { type DeclaredColumns, declaredColumns, declaredFields } from './declared.ts';
import { duration } from './duration.ts';
import type { FunctionTable } from './function-table.ts';
import { compileAbout, compileFields, expectText, hasNone } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { columnMistake, labelMistake, showName } from './names.ts';

export function compileSource(source: AuthoredSource, functions: FunctionTable, mistakes: Mistakes): SourceSpec {
  const { options } = source;
  const nameMistake = labelMistake(source.name);
  if (nameMistake !== undefined) mistakes.add(source, nameMistake, [0]);
  const query = source.sourceKind === 'query' ? compileQuery(source, mistakes) : undefined;
  const columns = compileFields(options.columns, source, 'column', [1, 'columns'], columnMistake, mistakes);
  if (hasNone(options.columns))
    mistakes.add(source, 'it has no columns: list them in `columns: { name: t.string(), … }`', [1, 'columns']);
  const derive = compileDerived(source, columns, functions, mistakes);
  const all = declaredColumns(source, [...columns, ...derive]);
  expectColumn(source, 'eventTime', options.eventTime, 'timestamp', all, mistakes);
  if (options.tombstone !== undefined) expectColumn(source, 'tombstone', options.tombstone, 'bool', all, mistakes);
  if (options.createdOrder !== undefined)
    expectColumn(
      source,
      'createdOrder',
      options.createdOrder,
      undefined,
      declaredFields(options.columns, columns),
      mistakes,
    );
  const areKept = isLogAlone({ kind: source.sourceKind }) || query !== undefined;
  const pushes = options.pushes ?? (areKept ? 'keep' : 'until-materialized');
  if (pushes !== 'keep' && pushes !== 'until-materialized')
    mistakes.add(source, `pushes must be 'keep' or 'until-materialized', got ${describeResult(pushes)}`, [1, 'pushes']);
  return {
    ...compileAbout(source, options, [1], mistakes),
    name: source.name,
    kind: source.sourceKind,
    location: query === undefined ? compileLocation(source, mistakes) : { query: query.sql },
    columns,
    derive,
    eventTime: options.eventTime,
    knownTime: compileKnownTime(source, all, mistakes),
    ...(options.createdOrder === undefined ? {} : { createdOrder: options.createdOrder }),
    ...(options.tombstone === undefined ? {} : { tombstone: options.tombstone }),
    pushes,
    ...compileCompleteAfter(source, pushes, mistakes),
    ...compilePartitions(source, mistakes),
    ...(query === undefined ? {} : { over: query.over }),
    ...compileSourceExpect(source, all, mistakes),
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
    mistakes.add(
      source,
      "`completeAfter` is for files that get pushed events later: leave it out with pushes: 'keep'",
      [1, 'completeAfter'],
    );
  const micros = duration(source, 'completeAfter', completeAfter, true, [1, 'completeAfter'], mistakes);
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
  functions: FunctionTable,
  mistakes: Mistakes,
): DeriveSpec[] {
  const entries = Object.entries(source.options.derive ?? {});
  const types = Object.fromEntries(entries.map(([name, entry]) => [name, Array.isArray(entry) ? entry[0] : undefined]));
  // compileFields reports an entry without a type.
  const fields = compileFields(
    types as Readonly<Record<string, never>>,
    source,
    'derived column',
    [1, 'derive'],
    columnMistake,
    mistakes,
  );
  const taken = new Map(columns.map((column) => [column.name.toLowerCase(), column.name]));
  return fields.flatMap(({ name, type }): DeriveSpec[] => {
    const at = [1, 'derive', name];
    const shown = `derived column ${showName(name)}`;
    const other = taken.get(name.toLowerCase());
    if (other !== undefined) mistakes.add(source, `${shown} has the name of column ${showName(other)}. Rename it`, at);
    const by: unknown = own(source.options.derive ?? {}, name)?.[1];
    if (typeof by === 'function') {
      const id = deriveId(source.name, name);
      return [{ name, type, by: { kind: 'function', function: functions.add(id, by as UserFunction) } }];
    }
    if (by !== null && typeof by === 'object' && 'sql' in by && typeof by.sql === 'string' && by.sql !== '') {
      return [{ name, type, by: { kind: 'sql', sql: by.sql } }];
    }
    mistakes.add(source, `${shown} must be [type, (row) => value] or [type, sql\`…\`]`, at);
    return [];
  });
}

function expectColumn(
  source: AuthoredSource,
  member: string,
  column: unknown,
  kind: string | undefined,
  all: DeclaredColumns,
  mistakes: Mistakes,
): void {
  const at = [1, member];
  if (typeof column !== 'string') {
    mistakes.add(source, `it needs \`${member}\`: the name of a ${kind === undefined ? '' : `${kind} `}column`, at);
    return;
  }
  // Where there is no column at all, that was told.
  if (all.size === 0) return;
  const field = all.get(column);
  if (!all.has(column)) {
    mistakes.add(
      source,
      `${member} names column ${showName(column)}, which it does not have.${didYouMean(column, all.keys())}`,
      at,
    );
  } else if (field !== undefined && kind !== undefined && field.type.kind !== kind) {
    mistakes.add(
      source,
      `${member} must be a ${kind} column, and ${showName(column)} is ${typeName(field.type)}. Declare it as t.${kind}() or name another`,
      at,
    );
  }
}

function compileKnownTime(source: AuthoredSource, all: DeclaredColumns, mistakes: Mistakes): SourceSpec['knownTime'] {
  const { eventTime } = source.options;
  const knownTime: unknown = source.options.knownTime;
  if (knownTime === undefined) return { kind: 'column', column: eventTime };
  if (typeof knownTime === 'string') {
    expectColumn(source, 'knownTime', knownTime, 'timestamp', all, mistakes);
    return { kind: 'column', column: knownTime };
  }
  const at = [1, 'knownTime'];
  if (knownTime === null || typeof knownTime !== 'object' || !('after' in knownTime)) {
    mistakes.add(
      source,
      `knownTime must be the name of a timestamp column or { after: '5m' }, got ${describeResult(knownTime)}`,
      at,
    );
    return { kind: 'after', micros: 1 };
  }
  mistakes.addSlips(source, findSlips(knownTime, KNOWN_TIME_OPTIONS, at, 'knownTime'));
  const micros = duration(source, 'knownTime.after', knownTime.after, true, [...at, 'after'], mistakes);
  return { kind: 'after', micros };
}

function compileLocation(source: AuthoredSource, mistakes: Mistakes): Readonly<Record<string, string>> {
  const given = Object.entries(source.location).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const location = Object.fromEntries(given);
  for (const [member, value] of given) {
    const variable = own(VARIABLES, member);
    if (variable !== undefined) checkVariable(source, member, variable, value, mistakes);
    else expectText(source, `\`${member}\``, value, [1, member], mistakes);
  }
  if (source.sourceKind === 'pushed') return {};
  if (source.sourceKind === 'kafka') return compileKafka(source, location, mistakes);
  if (source.sourceKind === 'iceberg' || source.sourceKind === 'delta') return compileTable(source, location, mistakes);
  if (source.sourceKind === 'parquet' || source.sourceKind === 'csv') {
    if (location['path'] === undefined)
      mistakes.add(source, 'it needs `path`: a glob, relative to the repository, absolute, or s3://bucket/…', [1]);
    return location;
  }
  if (location['connection'] === undefined)
    mistakes.add(source, "it needs `connection`: the variable that holds the database's URL, as 'env:NAME'", [1]);
  if ((location['table'] === undefined) === (location['query'] === undefined))
    mistakes.add(source, 'it needs either `table` or `query`, one of them', [1]);
  else if (
    typeof location['table'] === 'string' &&
    location['table'] !== '' &&
    tableParts(location['table']) === undefined
  )
    mistakes.add(
      source,
      `\`table\` ${showName(location['table'])} is no name of a table: write TABLE or SCHEMA.TABLE, and put a part that holds a dot or a blank in double quotes. A SELECT goes into \`query\``,
      [1, 'table'],
    );
  return location;
}

/** Members that hold a URL, by way of the variable that has it: what it is, and what such a variable may be called. */
const VARIABLES: Readonly<
  Record<string, { readonly held: string; readonly ending: string; readonly nameless: string }>
> = {
  connection: { held: "the database's URL", ending: 'URL', nameless: 'DATABASE' },
  catalog: { held: "the catalog's URL", ending: 'CATALOG', nameless: 'LAKE' },
  brokers: { held: "the brokers' addresses", ending: 'BROKERS', nameless: 'DATABASE' },
  registry: { held: "the schema registry's URL", ending: 'REGISTRY', nameless: 'DATABASE' },
};

// The manifest is kept for ever and shown to many: a URL, which holds a password, is no part of it. What came instead is
// not told, since it may be one.
function checkVariable(
  source: AuthoredSource,
  member: string,
  { held, ending, nameless }: (typeof VARIABLES)[string],
  value: unknown,
  mistakes: Mistakes,
): void {
  if (typeof value === 'string' && /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(value)) return;
  // A name that is none is told by itself.
  const name = labelMistake(source.name) === undefined ? source.name.toUpperCase().replaceAll('-', '_') : nameless;
  mistakes.add(
    source,
    `\`${member}\` must name an environment variable that holds ${held}: write ${member}: 'env:${name}_${ending}'`,
    [1, member],
  );
}
