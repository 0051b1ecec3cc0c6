// One tensor a feature, under its full name.

import { type DataType, didYouMean, HeadraceError, INVALID, parseValue, typeName, type Value } from '../core/index.ts';
import type { ModelSpec, ResolvedService, ServiceFeature } from '../definitions/index.ts';
import type { InputFiller } from './binding.ts';
import { misfit, shapeText } from './misfit.ts';
import type { Signature, Tensor, TensorData, TensorSpec, TensorType } from './model-runtime.ts';

type ColumnFiller = (rows: readonly (readonly Value[])[]) => Tensor;

export function bindColumns(signature: Signature, service: ResolvedService, model: ModelSpec): InputFiller {
  const names = service.features.map(({ name }) => name);
  const fillers = signature.inputs.map((input): [string, ColumnFiller] => {
    const at = names.indexOf(input.name);
    if (at === -1) {
      throw misfit(model, `input "${input.name}" ${shapeText(input)} is no feature of service "${service.name}", which has ${names.join(', ')}.${didYouMean(input.name, names)} A model takes one float tensor of all features in order, or one tensor per feature under its full name.`);
    }
    return [input.name, columnFiller(input, service.features[at] as ServiceFeature, at, model)];
  });
  return (rows) => {
    const tensors: Record<string, Tensor> = {};
    for (const [name, fill] of fillers) tensors[name] = fill(rows);
    return tensors;
  };
}

function columnFiller(input: TensorSpec, feature: ServiceFeature, at: number, model: ModelSpec): ColumnFiller {
  const isVector = feature.type.kind === 'vector';
  const width = feature.type.kind === 'vector' ? feature.type.size : 1;
  const inner = input.shape.slice(1);
  const fits =
    takes(input.type, feature.type) &&
    (isVector ? inner.length === 1 && (inner[0] === null || inner[0] === width) : inner.length === 0 || (inner.length === 1 && (inner[0] === null || inner[0] === 1)));
  if (!fits) {
    throw misfit(model, `input "${input.name}" is ${shapeText(input)}, but the feature is ${typeName(feature.type)}: expected ${expected(feature.type)} of shape [N]${isVector ? `, ${width} wide` : ' or [N, 1]'}.`);
  }
  const fallback = fallbackOf(feature, input.type);
  const { type } = input;
  return (rows) => {
    const shape = inner.length === 0 ? [rows.length] : [rows.length, width];
    if (type === 'string') {
      return { type, shape, data: rows.map((row) => (row[at] ?? fallback ?? refuseNull(feature)) as string) };
    }
    const data = allocate(type, rows.length * width);
    rows.forEach((row, index) => {
      const value = row[at] ?? fallback ?? refuseNull(feature);
      if (value instanceof Float32Array) (data as Float32Array).set(value, index * width);
      else if (data instanceof BigInt64Array) data[index] = BigInt(value as bigint | number);
      else if (isVector) (data as Float32Array).fill(Number(value), index * width, (index + 1) * width);
      else (data as Float32Array)[index] = Number(value);
    });
    return { type, shape, data };
  };
}

const TAKES: Readonly<Partial<Record<DataType['kind'], readonly TensorType[]>>> = {
  bool: ['bool', 'float32', 'float64'],
  int32: ['int32', 'int64', 'float32', 'float64'],
  int64: ['int64', 'float32', 'float64'],
  float32: ['float32', 'float64'],
  float64: ['float64', 'float32'],
  string: ['string'],
  timestamp: ['int64', 'float64', 'float32'],
  vector: ['float32'],
};

function takes(tensor: TensorType, feature: DataType): boolean {
  return TAKES[feature.kind]?.includes(tensor) === true;
}

function expected(type: DataType): string {
  return TAKES[type.kind]?.join(' or ') ?? 'nothing: this type cannot go into a model, so leave it out of the model’s inputs; not';
}

function allocate(type: TensorType, length: number): Exclude<TensorData, readonly string[]> {
  switch (type) {
    case 'float32': return new Float32Array(length);
    case 'float64': return new Float64Array(length);
    case 'int64': return new BigInt64Array(length);
    case 'int32': return new Int32Array(length);
    // Only the types that `takes` lets through come here; the last of them is bool.
    default: return new Uint8Array(length);
  }
}

/** What stands in for null: the declared default, else NaN in a float tensor, else nothing. */
function fallbackOf(feature: ServiceFeature, tensor: TensorType): Value {
  if (feature.default !== undefined) {
    const value = parseValue(feature.type, feature.default);
    return value === INVALID ? null : value;
  }
  return tensor === 'float32' || tensor === 'float64' ? NaN : null;
}

function refuseNull(feature: ServiceFeature): never {
  throw new HeadraceError('HR_NULL_FEATURE', `feature "${feature.name}" is null, and the model's ${typeName(feature.type)} input takes none. Declare a default: \`.default(…)\`.`);
}
