// Profiles of features as people read them: a line each, with small bars.

import { formatTimestamp } from '../core/index.ts';
import type { FeatureProfile } from '../offline/index.ts';
import { bars } from './bars.ts';
import { formatTable } from './table.ts';

const MOST_TOP = 3;

/** Sets of a time before profiles were kept tell their null rates alone. */
export function profileTable(features: readonly FeatureProfile[]): string {
  const rows = features.map((feature) => [
    `  ${feature.name}`,
    feature.type,
    `${(feature.nullRate * 100).toFixed(1)} % null`,
    feature.distinct === undefined ? '' : `${group(feature.distinct)} value${feature.distinct === 1 ? '' : 's'}`,
    barsOf(feature),
    spreadOf(feature),
  ]);
  return formatTable(rows);
}

/** Of numbers their histogram, of texts and bools their most frequent values. */
function barsOf({ type, histogram, top }: FeatureProfile): string {
  if (histogram !== undefined) return bars(histogram.counts);
  if (type === 'timestamp') return '';
  return top === undefined ? '' : bars(top.map(({ rows }) => rows));
}

function spreadOf(feature: FeatureProfile): string {
  const { quantiles, min, max, top = [], rows = 0, nulls = 0 } = feature;
  if (quantiles !== undefined) return `${number(quantiles.p05)} … ${number(quantiles.p50)} … ${number(quantiles.p95)}`;
  if (feature.type === 'timestamp' && min !== undefined && max !== undefined)
    return `${formatTimestamp(min)} … ${formatTimestamp(max)}`;
  return top
    .slice(0, MOST_TOP)
    .map(
      ({ value, rows: times }) => `${JSON.stringify(value)} ${Math.round((times / Math.max(1, rows - nulls)) * 100)} %`,
    )
    .join(', ');
}

/** Four digits tell enough here; --json has all. */
function number(value: number): string {
  const short = Number(value.toPrecision(4));
  return Math.abs(short) >= 1e6 || (short !== 0 && Math.abs(short) < 1e-4) ? short.toExponential() : String(short);
}

const group = (count: number): string => count.toLocaleString('en-US');
