// The model's declared outputs, found among what its file gives.

import { type DataType, type Field, HeadraceError, typeName, type Value } from '../core/index.ts';
import type { ModelSpec } from '../definitions/index.ts';
import { misfit, shapeText } from './misfit.ts';
import type { Signature, Tensor, TensorSpec, TensorType } from './model-runtime.ts';

export interface OutputReader {
  /** As declared. */
  readonly name: string;
  /** As the file calls it. */
  readonly output: string;
  /** The value in row `row` of a batch. */
  read(tensor: Tensor, row: number): Value;
}

/**
 * Each declared output is the file's of the same name. A model that declares one float output may also have one output
 * of any name, or a classifier's two (label and class probabilities [N, k]): then it is the last class's probability.
 */
export function bindDeclaredOutputs(signature: Signature, model: ModelSpec): OutputReader[] {
  return model.outputs.map((declared) => {
    const output = findOutput(signature, model, declared);
    if (!gives(output.type, declared.type)) {
      throw misfit(model, `output "${output.name}" is ${shapeText(output)}, declared is ${declared.name}: ${typeName(declared.type)}. Change the declaration or the model.`);
    }
    return { name: declared.name, output: output.name, read: readerOf(declared, output, model) };
  });
}

function findOutput({ outputs }: Signature, model: ModelSpec, declared: Field): TensorSpec {
  const named = outputs.find(({ name }) => name === declared.name);
  if (named !== undefined) return named;
  if (model.outputs.length === 1 && isFloatType(declared.type)) {
    const [first, second] = outputs;
    if (outputs.length === 1 && first !== undefined) return first;
    const isClassifier = outputs.length === 2 && (first?.type === 'int64' || first?.type === 'string');
    if (isClassifier && second?.type.startsWith('float')) return second;
  }
  const has = outputs.map((output) => `"${output.name}" ${shapeText(output)}`).join(', ');
  throw misfit(model, `no output "${declared.name}"; the file has ${has}. Name the model's outputs as declared.`);
}

function isFloatType({ kind }: DataType): boolean {
  return kind === 'float32' || kind === 'float64';
}

const GIVES: Readonly<Partial<Record<TensorType, readonly DataType['kind'][]>>> = {
  float32: ['float32', 'float64', 'vector'],
  float64: ['float64', 'float32', 'vector'],
  int64: ['int64', 'timestamp'],
  int32: ['int32', 'int64'],
  string: ['string'],
  bool: ['bool'],
};

function gives(tensor: TensorType, declared: DataType): boolean {
  return GIVES[tensor]?.includes(declared.kind) === true;
}

function readerOf(declared: Field, output: TensorSpec, model: ModelSpec): OutputReader['read'] {
  const { type } = declared;
  const inner = output.shape.slice(1);
  if (inner.length > 1) throw misfit(model, `output "${output.name}" is ${shapeText(output)}: expected [N], [N, 1] or [N, n].`);
  if (type.kind === 'vector') {
    const { size } = type;
    if (inner.length !== 1 || (inner[0] !== null && inner[0] !== size)) {
      throw misfit(model, `output "${output.name}" is ${shapeText(output)}, declared is vector(${size}).`);
    }
    return ({ data }, row) => Float32Array.from({ length: size }, (_, i) => Number(data[row * size + i]));
  }
  const isColumn = inner.length === 0 || inner[0] === 1 || inner[0] === null;
  if (!isColumn && !isFloatType(type)) throw misfit(model, `output "${output.name}" is ${shapeText(output)}, declared is one ${typeName(type)}.`);
  return (tensor, row) => {
    const width = tensor.shape.length > 1 ? (tensor.shape[1] as number) : 1;
    const at = row * width + width - 1;
    if (at >= tensor.data.length) throw new HeadraceError('HR_INFERENCE_FAILED', `output "${output.name}" has no row ${row}: it gave ${tensor.data.length} values.`);
    return convert(type, tensor.data[at] as number | bigint | string);
  };
}

function convert(type: DataType, value: number | bigint | string): Value {
  switch (type.kind) {
    case 'bool':
      return value === 1;
    case 'int64':
      return BigInt(value);
    case 'timestamp':
      return Number(value);
    default:
      return value;
  }
}
