// One float tensor [N, F]: every feature is a column (a vector: several), in the service's order; null is NaN.

import { parseValue, typeName, type Value } from '../core/index.ts';
import type { ModelSpec, ResolvedService, ServiceFeature } from '../definitions/index.ts';
import type { InputFiller } from './binding.ts';
import { misfit, shapeText } from './misfit.ts';
import type { TensorSpec } from './model-runtime.ts';

export function bindMatrix(input: TensorSpec, service: ResolvedService, model: ModelSpec): InputFiller {
  const columns = service.features.map((feature) => {
    const width = columnsOf(feature);
    if (width === undefined) {
      const type = typeName(feature.type);
      throw misfit(model, `feature "${feature.name}" is ${type}, which cannot be a column of input "${input.name}" ${shapeText(input)}. Leave it out of service "${service.name}", or export the model with one input per feature.`);
    }
    return { width, fallback: fallbackOf(feature) };
  });
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  const expected = input.shape[1];
  if (expected !== null && expected !== width) {
    const names = service.features.map(({ name }) => name).join(', ');
    throw misfit(model, `input "${input.name}" is ${shapeText(input)}, but service "${service.name}" gives ${width} columns: ${names}. Train on a training set of this service.`);
  }
  const { name, type } = input;
  return (rows) => {
    const shape = [rows.length, width];
    const data = type === 'float64' ? new Float64Array(rows.length * width) : new Float32Array(rows.length * width);
    let at = 0;
    for (const row of rows) {
      for (let column = 0; column < columns.length; column++) {
        const spec = columns[column] as { width: number; fallback: number };
        const value = row[column] as Value;
        if (typeof value === 'number') data[at++] = value;
        else if (value === null) for (let i = 0; i < spec.width; i++) data[at++] = spec.fallback;
        else if (value instanceof Float32Array) {
          data.set(value, at);
          at += spec.width;
        } else data[at++] = Number(value);
      }
    }
    return { [name]: { type, shape, data } };
  };
}

/** How many columns a feature fills; undefined when it is no number. */
function columnsOf({ type }: ServiceFeature): number | undefined {
  switch (type.kind) {
    case 'string':
    case 'bytes':
    case 'list':
      return undefined;
    case 'vector':
      return type.size;
    default:
      return 1;
  }
}

// A declared default stands in for null; without one the model sees NaN.
function fallbackOf(feature: ServiceFeature): number {
  if (feature.default === undefined) return NaN;
  const value = parseValue(feature.type, feature.default);
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : NaN;
}
