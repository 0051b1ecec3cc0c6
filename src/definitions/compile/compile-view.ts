// A feature view as written to its spec: keys mapped, windows and hops in microseconds, result types.

import {
  type DataType,
  didYouMean,
  type Field,
  isKeyType,
  isNumeric,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  type Micros,
  sameType,
  typeName,
} from '../../core/index.ts';
import type { AuthoredEntity, AuthoredFeature, AuthoredView } from '../authoring/authored.ts';
import type { Aggregation, EntitySpec, FeatureSpec, SourceSpec, ViewSpec, WindowOp } from '../manifest.ts';
import { own } from '../own.ts';
import { duration, sourceFields } from './compile-source.ts';
import { byName, compileAbout, compileFields, withDefault } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { identifierMistake } from './names.ts';

export function compileEntity(entity: AuthoredEntity, mistakes: Mistakes): EntitySpec {
  const nameMistake = identifierMistake(entity.name);
  if (nameMistake !== undefined) mistakes.add(entity, nameMistake);
  const keys = compileFields(entity.keys, entity, 'key', identifierMistake, mistakes);
  if (keys.length === 0) mistakes.add(entity, 'it has no keys: list them in `keys: { id: t.string() }`');
  for (const key of keys) {
    if (!isKeyType(key.type))
      mistakes.add(
        entity,
        `key "${key.name}" is ${typeName(key.type)}, which cannot be a key. Use a single value, t.string() for example`,
      );
  }
  return { ...compileAbout(entity, entity.about, mistakes), name: entity.name, keys };
}

export function compileView(
  view: AuthoredView,
  entity: EntitySpec | undefined,
  source: SourceSpec | undefined,
  mistakes: Mistakes,
): ViewSpec {
  const nameMistake = identifierMistake(view.name);
  if (nameMistake !== undefined) mistakes.add(view, nameMistake);
  const columns = source === undefined ? undefined : sourceFields(source);
  const features = Object.entries(view.features ?? {}).flatMap(([name, written]) =>
    compileFeature(view, name, written, source, columns, mistakes),
  );
  checkFeatureNames(view, mistakes);
  return {
    ...compileAbout(view, view.about, mistakes),
    name: view.name,
    entity: entity?.name ?? '',
    source: source?.name ?? '',
    keyColumns: compileKeys(view, entity, source, columns, mistakes),
    ttlMicros: view.ttl === undefined ? null : duration(view, 'ttl', view.ttl, false, mistakes),
    features,
    freshness: compileFreshness(view, mistakes),
  };
}

function compileKeys(
  view: AuthoredView,
  entity: EntitySpec | undefined,
  source: SourceSpec | undefined,
  columns: readonly Field[] | undefined,
  mistakes: Mistakes,
): string[] {
  if (entity === undefined) return [];
  const known = entity.keys.map((key) => key.name);
  for (const name of Object.keys(view.keys)) {
    if (!known.includes(name))
      mistakes.add(
        view,
        `keys names "${name}", and entity "${entity.name}" has no such key.${didYouMean(name, known)}`,
      );
  }
  return entity.keys.map((key) => {
    const column = own(view.keys, key.name) ?? key.name;
    if (columns === undefined) return column;
    const field = columns.find((candidate) => candidate.name === column);
    if (field === undefined) {
      const how = own(view.keys, key.name) === undefined ? `; map it with \`keys: { ${key.name}: '<column>' }\`` : '';
      mistakes.add(
        view,
        `entity key "${key.name}" is looked for in column "${column}", which source "${source?.name}" does not have${how}.${didYouMean(
          column,
          columns.map(({ name }) => name),
        )}`,
      );
    } else if (!sameType(field.type, key.type)) {
      mistakes.add(
        view,
        `entity key "${key.name}" is ${typeName(key.type)}, and its column "${column}" of source "${source?.name}" is ${typeName(field.type)}. Give both one type`,
      );
    }
    return column;
  });
}

function checkFeatureNames(view: AuthoredView, mistakes: Mistakes): void {
  const names = Object.keys(view.features ?? {});
  if (names.length === 0)
    mistakes.add(view, "it has no features: list them in `features: { flights_1d: count().over('1d') }`");
  const folded = new Map<string, string>();
  for (const name of names) {
    const nameMistake = identifierMistake(name);
    if (nameMistake !== undefined) mistakes.add(view, `feature "${name}": ${nameMistake}`);
    const other = folded.get(name.toLowerCase());
    if (other !== undefined)
      mistakes.add(view, `feature "${name}" differs from "${other}" only in case. Rename one of them`);
    folded.set(name.toLowerCase(), name);
  }
}

function compileFeature(
  view: AuthoredView,
  name: string,
  written: AuthoredFeature,
  source: SourceSpec | undefined,
  columns: readonly Field[] | undefined,
  mistakes: Mistakes,
): FeatureSpec[] {
  const where = `feature "${name}"`;
  if (written === null || typeof written !== 'object' || !('op' in written)) {
    mistakes.add(view, `${where} is not an aggregation: use latest('column') or one like mean('column').over('7d')`);
    return [];
  }
  const { op } = written;
  let column: Field | undefined;
  if (written.column !== null) {
    column = columns === undefined ? undefined : byName(columns).get(written.column);
    if (columns !== undefined && column === undefined) {
      mistakes.add(
        view,
        `${where}: source "${source?.name}" has no column "${written.column}".${didYouMean(
          written.column,
          columns.map((field) => field.name),
        )}`,
      );
    }
  } else if (op !== 'count') {
    mistakes.add(view, `${where}: ${op} needs a column`);
  }
  if (column !== undefined && !accepts(op, column.type)) {
    mistakes.add(
      view,
      `${where}: ${op} needs ${op === 'min' || op === 'max' || op === 'countDistinct' ? 'a column of single values' : 'a number column'}, and "${column.name}" is ${typeName(column.type)}`,
    );
    column = undefined;
  }
  const aggregation = compileAggregation(view, where, written, mistakes);
  const type =
    op === 'count' || op === 'countDistinct' ? INT64 : column === undefined ? undefined : resultType(op, column.type);
  if (aggregation === undefined || type === undefined) return [];
  const spec: FeatureSpec = {
    name,
    type,
    aggregation,
    ...(written.describedAs === undefined ? {} : { description: written.describedAs }),
  };
  return [withDefault(spec, written.defaultValue, view, 'feature', mistakes)];
}

function compileAggregation(
  view: AuthoredView,
  where: string,
  written: AuthoredFeature,
  mistakes: Mistakes,
): Aggregation | undefined {
  if (written.op === 'latest') return { op: 'latest', column: written.column ?? '' };
  if (written.window === undefined) {
    mistakes.add(view, `${where}: ${written.op}(…) needs its window. Add .over('7d')`);
    return undefined;
  }
  const windowMicros = duration(view, `${where}: window`, written.window, false, mistakes);
  const hopMicros =
    written.hop === undefined
      ? defaultHop(windowMicros)
      : duration(view, `${where}: hop`, written.hop, false, mistakes);
  if (written.hop !== undefined && hopMicros > windowMicros) {
    mistakes.add(
      view,
      `${where}: its hop ${written.hop} is longer than its window ${written.window}. Make it shorter, or leave it out`,
    );
  }
  if (
    written.op === 'lastN' &&
    !(Number.isInteger(written.n) && Number(written.n) >= 1 && Number(written.n) <= 10_000)
  ) {
    mistakes.add(view, `${where}: lastN needs a whole number from 1 to 10000, got ${String(written.n)}`);
  }
  return {
    op: written.op,
    column: written.column,
    windowMicros,
    hopMicros,
    ...(written.n === undefined ? {} : { n: written.n }),
  };
}

/** 5 minutes for windows up to 12 hours, 1 hour up to 12 days, else 1 day. */
function defaultHop(windowMicros: Micros): Micros {
  if (windowMicros <= 12 * MICROS_PER_HOUR) return 5 * MICROS_PER_MINUTE;
  return windowMicros <= 12 * MICROS_PER_DAY ? MICROS_PER_HOUR : MICROS_PER_DAY;
}

const INT64: DataType = { kind: 'int64' };
const FLOAT64: DataType = { kind: 'float64' };

function accepts(op: 'latest' | WindowOp, type: DataType): boolean {
  switch (op) {
    case 'sum':
    case 'mean':
    case 'stddev':
    case 'variance':
      return isNumeric(type);
    case 'min':
    case 'max':
    case 'countDistinct':
      return isKeyType(type);
    default:
      return true;
  }
}

function resultType(op: 'latest' | WindowOp, column: DataType): DataType {
  switch (op) {
    case 'count':
    case 'countDistinct':
      return INT64;
    case 'sum':
      return column.kind === 'int32' || column.kind === 'int64' ? INT64 : FLOAT64;
    case 'mean':
    case 'stddev':
    case 'variance':
      return FLOAT64;
    case 'lastN':
      return { kind: 'list', of: column };
    default:
      return column;
  }
}

function compileFreshness(view: AuthoredView, mistakes: Mistakes): ViewSpec['freshness'] {
  const { freshness } = view;
  if (freshness === 'live') return { kind: 'live' };
  if (freshness === null || typeof freshness !== 'object') {
    mistakes.add(view, `freshness must be 'live' or { every: '1h', lag: '5m' }, got ${String(freshness)}`);
    return { kind: 'live' };
  }
  return {
    kind: 'scheduled',
    everyMicros: duration(view, 'freshness.every', freshness.every, false, mistakes),
    lagMicros: freshness.lag === undefined ? 0 : duration(view, 'freshness.lag', freshness.lag, true, mistakes),
  };
}
