// Parts of specs as people write and say them.

import {
  canonicalJson,
  type DataType,
  formatDuration,
  type Micros,
  MICROS_PER_DAY,
  MICROS_PER_HOUR,
  MICROS_PER_MINUTE,
  typeName,
} from '../../../core/index.ts';
import type { Aggregation, FunctionRef, SourceSpec, ViewSpec } from '../../../definitions/index.ts';

/** `mean(delay) over 7d`; the hop where it isn't the one that a window has by itself. */
export function showAggregation(aggregation: Aggregation): string {
  if (aggregation.op === 'latest') return `latest(${aggregation.column})`;
  const { op, column, windowMicros, hopMicros, n } = aggregation;
  const inner = [column, n].filter((part) => part !== null && part !== undefined).join(', ');
  const hop = hopMicros === defaultHop(windowMicros) ? '' : `, hop ${formatDuration(hopMicros)}`;
  return `${op}(${inner}) over ${formatDuration(windowMicros)}${hop}`;
}

function defaultHop(windowMicros: Micros): Micros {
  if (windowMicros <= 12 * MICROS_PER_HOUR) return 5 * MICROS_PER_MINUTE;
  return windowMicros <= 12 * MICROS_PER_DAY ? MICROS_PER_HOUR : MICROS_PER_DAY;
}

export function showFields(fields: readonly { readonly name: string; readonly type: DataType }[]): string {
  return `(${fields.map(({ name, type }) => `${name}: ${typeName(type)}`).join(', ')})`;
}

export function showNames(names: readonly string[]): string {
  return `(${names.join(', ')})`;
}

export function showFreshness(freshness: ViewSpec['freshness']): string {
  if (freshness.kind === 'live') return 'live';
  return `every ${formatDuration(freshness.everyMicros)}, lag ${formatDuration(freshness.lagMicros)}`;
}

export function showKnownTime(knownTime: SourceSpec['knownTime']): string {
  return knownTime.kind === 'column' ? knownTime.column : `${formatDuration(knownTime.micros)} after the event`;
}

/** The first digits of what a function's code is. */
export function showCode({ hash }: Pick<FunctionRef, 'hash'>): string {
  return hash.slice(0, 8);
}

/** Any value in one line, the long ones cut. */
export function showValue(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : canonicalJson(value ?? null);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
