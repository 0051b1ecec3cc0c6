// The features of a view: windows and hops in microseconds, result types.

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
  typeName,
} from '../../core/index.ts';
import type { AuthoredFeature, AuthoredView } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import type { Aggregation, FeatureSpec, SourceSpec, WindowOp } from '../manifest.ts';
import { duration } from './duration.ts';
import type { DeclaredColumns } from './declared.ts';
import { expectRecord, withDefault } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { identifierMistake, showName } from './names.ts';

/** The view's features in order. `columns` are the source's; undefined where there is none to go by. */
export function compileFeatures(
  view: AuthoredView,
  source: SourceSpec | undefined,
  columns: DeclaredColumns | undefined,
  mistakes: Mistakes,
): FeatureSpec[] {
  const features = view.features ?? {};
  if (!expectRecord(view, 'features', features, [1, 'features'], mistakes)) return [];
  checkFeatureNames(view, mistakes);
  return Object.entries(features).flatMap(([name, written]) =>
    compileFeature(view, name, written, source, columns, mistakes),
  );
}

function checkFeatureNames(view: AuthoredView, mistakes: Mistakes): void {
  const names = Object.keys(view.features ?? {});
  if (names.length === 0)
    mistakes.add(view, "it has no features: list them in `features: { flights_1d: count().over('1d') }`", [
      1,
      'features',
    ]);
  const folded = new Map<string, string>();
  for (const name of names) {
    const at = [1, 'features', name];
    const shown = `feature ${showName(name)}`;
    const nameMistake = identifierMistake(name);
    if (nameMistake !== undefined) mistakes.add(view, `${shown}: ${nameMistake}`, at);
    const other = folded.get(name.toLowerCase());
    if (other !== undefined)
      mistakes.add(view, `${shown} differs from ${showName(other)} only in case. Rename one of them`, at);
    folded.set(name.toLowerCase(), name);
  }
}

function compileFeature(
  view: AuthoredView,
  name: string,
  written: AuthoredFeature,
  source: SourceSpec | undefined,
  columns: DeclaredColumns | undefined,
  mistakes: Mistakes,
): FeatureSpec[] {
  const where = `feature ${showName(name)}`;
  const at = [1, 'features', name];
  if (written === null || typeof written !== 'object' || !OPS.has(written.op)) {
    mistakes.add(
      view,
      `${where} is not an aggregation: use latest('column') or one like mean('column').over('7d')`,
      at,
    );
    return [];
  }
  mistakes.addSlips(view, written.slips ?? [], at, `${where}: `);
  const { op } = written;
  const atColumn = [...at, { method: null }, 0];
  let column: Field | undefined;
  if (typeof written.column === 'string') {
    column = columns?.get(written.column);
    if (columns !== undefined && !columns.has(written.column)) {
      mistakes.add(
        view,
        `${where}: source "${source?.name}" has no column ${showName(written.column)}.${didYouMean(written.column, columns.keys())}`,
        atColumn,
      );
    }
  } else if (op !== 'count' || written.column !== null) {
    mistakes.add(view, `${where}: ${op} needs the name of a column, got ${describeResult(written.column)}`, at);
  }
  if (column !== undefined && !accepts(op, column.type)) {
    mistakes.add(
      view,
      `${where}: ${op} needs ${op === 'min' || op === 'max' || op === 'countDistinct' ? 'a column of single values' : 'a number column'}, and "${column.name}" is ${typeName(column.type)}`,
      atColumn,
    );
    column = undefined;
  }
  const aggregation = compileAggregation(view, where, written, at, mistakes);
  const type =
    op === 'count' || op === 'countDistinct' ? INT64 : column === undefined ? undefined : resultType(op, column.type);
  if (aggregation === undefined || type === undefined) return [];
  const spec: FeatureSpec = {
    name,
    type,
    aggregation,
    ...(written.describedAs === undefined ? {} : { description: written.describedAs }),
    ...(written.formerName === undefined ? {} : { renamedFrom: written.formerName }),
  };
  if (written.describedAs !== undefined && typeof written.describedAs !== 'string')
    mistakes.add(view, `${where}: its description must be text, got ${describeResult(written.describedAs)}`, [
      ...at,
      { method: 'describe' },
      0,
    ]);
  return [withDefault(spec, written.defaultValue, view, 'feature', at, mistakes)];
}

function compileAggregation(
  view: AuthoredView,
  where: string,
  written: AuthoredFeature,
  at: Path,
  mistakes: Mistakes,
): Aggregation | undefined {
  if (written.op === 'latest') return { op: 'latest', column: written.column ?? '' };
  if (written.window === undefined) {
    mistakes.add(view, `${where}: ${written.op}(…) needs its window. Add .over('7d')`, at);
    return undefined;
  }
  const over = [...at, { method: 'over' }];
  const atHop = [...over, 1, 'hop'];
  const windowMicros = duration(view, `${where}: window`, written.window, false, [...over, 0], mistakes);
  const hopMicros =
    written.hop === undefined
      ? defaultHop(windowMicros)
      : duration(view, `${where}: hop`, written.hop, false, atHop, mistakes);
  // A window that is none counts as the shortest there is, and was told.
  if (written.hop !== undefined && windowMicros > 1 && hopMicros > windowMicros) {
    mistakes.add(
      view,
      `${where}: its hop ${written.hop} is longer than its window ${written.window}. Make it shorter, or leave it out`,
      atHop,
    );
  }
  if (
    written.op === 'lastN' &&
    !(Number.isInteger(written.n) && Number(written.n) >= 1 && Number(written.n) <= 10_000)
  ) {
    mistakes.add(view, `${where}: lastN needs a whole number from 1 to 10000, got ${describeResult(written.n)}`, [
      ...at,
      { method: null },
      1,
    ]);
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

const OPS: ReadonlySet<unknown> = new Set<Aggregation['op']>([
  'latest',
  'count',
  'sum',
  'mean',
  'min',
  'max',
  'stddev',
  'variance',
  'first',
  'last',
  'lastN',
  'countDistinct',
]);
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
