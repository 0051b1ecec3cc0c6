// Whether an ONNX file fits its definition, and how: the features it takes, the outputs it gives, as a plan.

import { type DataType, defaultOf, type Field, HeadraceError, typeName } from '../../core/index.ts';
import type { ModelSpec, ResolvedService } from '../../definitions/index.ts';
import type { Signature, TensorSpec, TensorType } from '../tensor.ts';
import type { BindingPlan, ColumnPlan, InputPlan, OutputPlan } from './binding-plan.ts';

/**
 * Two styles of input: one numeric tensor [N, F] of all features in the service's order (a vector(n) takes n places),
 * or one tensor per feature, [N], [N, 1] or [N, n], named by the feature's full name. Outputs go by name; a single
 * declared number also takes the only output, or the last column of a classifier's probabilities [N, 2].
 * Throws HR_MODEL_SIGNATURE with both sides in its sentence.
 */
export function checkSignature(signature: Signature, service: ResolvedService, model: ModelSpec): BindingPlan {
  checkBatch(signature, model);
  return {
    inputs: bindAllInputs(signature.inputs, service, model),
    outputs: model.outputs.map((output) => bindOutput(output, signature, model)),
  };
}

// Rows of several requests run together, or one by one where the file takes one: nothing else has a use.
function checkBatch({ inputs }: Signature, model: ModelSpec): void {
  const fixed = inputs.find(({ shape }) => typeof shape[0] === 'number' && shape[0] !== 1);
  if (fixed === undefined) return;
  throw unfit(
    model,
    `input "${fixed.name}" has the shape ${shapeText(fixed)}, so it takes ${fixed.shape[0]} rows and no other number. Export it with a free first dimension: [N, …]`,
  );
}

function bindAllInputs(inputs: readonly TensorSpec[], service: ResolvedService, model: ModelSpec): InputPlan[] {
  const [only] = inputs;
  const byName = new Map(service.features.map((feature, index) => [feature.name, index]));
  if (inputs.length === 1 && only !== undefined && only.shape.length === 2 && !byName.has(only.name)) {
    return [bindMatrix(only, service, model)];
  }
  const mistakes: string[] = [];
  const bound: InputPlan[] = [];
  for (const input of inputs) {
    const feature = byName.get(input.name);
    const field = feature === undefined ? undefined : service.features[feature];
    if (feature === undefined || field === undefined) mistakes.push(`input "${input.name}" is no feature of it`);
    else if (!accepts(input.type, field.type))
      mistakes.push(`input "${input.name}" is ${input.type}, the feature is ${typeName(field.type)}`);
    else if (!fitsShape(input, widthOf(field.type)))
      mistakes.push(
        `input "${input.name}" has the shape ${shapeText(input)}, the feature needs ${widthOf(field.type) === 1 ? '[N] or [N, 1]' : `[N, ${widthOf(field.type)}]`}`,
      );
    else
      bound.push({
        name: input.name,
        type: input.type,
        width: widthOf(field.type),
        rank: input.shape.length === 1 ? 1 : 2,
        columns: [column(field, feature, 0)],
      });
  }
  if (mistakes.length === 0 && bound.length > 0) return bound;
  throw unfit(
    model,
    `${mistakes.join('; ')}. Service "${service.name}" gives ${featureList(service)}: as one float tensor [N, ${totalWidth(service)}], or each as an input of its full name`,
  );
}

function bindMatrix(input: TensorSpec, service: ResolvedService, model: ModelSpec): InputPlan {
  const width = totalWidth(service);
  const last = input.shape[1] ?? null;
  if (last !== null && last !== width) {
    throw unfit(
      model,
      `input "${input.name}" takes ${last} columns, service "${service.name}" gives ${width}: ${featureList(service)}`,
    );
  }
  const wrong = service.features.filter((feature) => !accepts(input.type, feature.type));
  if (wrong.length > 0) {
    const names = wrong.map((feature) => `"${feature.name}" (${typeName(feature.type)})`).join(', ');
    throw unfit(
      model,
      `input "${input.name}" is one ${input.type} tensor, which cannot hold ${names}. Encode them as numbers in an on-demand view, or give the model one input per feature`,
    );
  }
  let offset = 0;
  const columns = service.features.map((field, index) => {
    const bound = column(field, index, offset);
    offset += bound.width;
    return bound;
  });
  return { name: input.name, type: input.type, width, rank: 2, columns };
}

function column(field: Field, feature: number, offset: number): ColumnPlan {
  return { feature, field, offset, width: widthOf(field.type), standIn: defaultOf(field) };
}

const INTEGERS = ['bool', 'int32', 'int64', 'timestamp'];
const NUMBERS = [...INTEGERS, 'float32', 'float64'];
const TAKES: Partial<Record<TensorType, readonly string[]>> = {
  // A timestamp in float32 keeps about two minutes of precision; an on-demand view can make it an hour or an age.
  float32: [...NUMBERS, 'vector'],
  float64: [...NUMBERS, 'vector'],
  // Eleven bits: what the model was trained on, or it would not take them.
  float16: ['bool', 'float32', 'float64', 'vector'],
  int64: INTEGERS,
  int32: ['bool', 'int32'],
  bool: ['bool'],
  string: ['string'],
};

function accepts(tensor: TensorType, type: DataType): boolean {
  return TAKES[tensor]?.includes(type.kind) ?? false;
}

function fitsShape({ shape }: TensorSpec, width: number): boolean {
  if (shape.length === 1) return width === 1;
  return shape.length === 2 && (shape[1] === null || shape[1] === width);
}

function bindOutput(field: Field, signature: Signature, model: ModelSpec): OutputPlan {
  const isVector = field.type.kind === 'vector';
  const planOf = (tensor: TensorSpec, pick: OutputPlan['pick']): OutputPlan => ({
    field,
    tensor: signature.outputs.indexOf(tensor),
    name: tensor.name,
    pick: isVector ? 'all' : pick,
  });
  const named = signature.outputs.find(({ name }) => name === field.name);
  if (named !== undefined && gives(named, field)) return planOf(named, pickOf(named));
  if (named === undefined && model.outputs.length === 1) {
    const fits = signature.outputs.filter((output) => gives(output, field));
    const floats = fits.filter(({ type }) => FLOATS.includes(type));
    const chosen = signature.outputs.length === 1 ? fits[0] : floats.length === 1 ? floats[0] : undefined;
    const isClassifiers = signature.outputs.length > 1;
    if (chosen !== undefined) return planOf(chosen, isClassifiers ? 'last' : pickOf(chosen));
  }
  const has = signature.outputs.map((output) => `"${output.name}" ${output.type} ${shapeText(output)}`).join(', ');
  throw unfit(
    model,
    `no output fits the declared "${field.name}" (${typeName(field.type)}); the file gives ${has}. Name an output "${field.name}", of shape [N] or [N, 1]`,
  );
}

const FLOATS: readonly TensorType[] = ['float32', 'float64', 'float16'];
const WHOLE: readonly TensorType[] = ['int64', 'int32', 'uint8', 'int8', 'uint16', 'int16', 'uint32'];

// Whether a tensor can be read as the declared type; a float is never cut to a whole number in silence.
function gives({ type, shape }: TensorSpec, field: Field): boolean {
  const width = shape.length < 2 ? 1 : (shape[1] ?? null);
  const isFloat = FLOATS.includes(type);
  const isWhole = WHOLE.includes(type);
  if (shape.length > 2) return false;
  switch (field.type.kind) {
    case 'vector':
      return (isFloat || isWhole) && (width === null || width === field.type.size);
    case 'float32':
    case 'float64':
      // Of two floats, as classifiers give them, the last is the probability.
      return isFloat ? width === null || width <= 2 : isWhole && (width === null || width === 1);
    case 'int32':
    case 'int64':
    case 'timestamp':
      return isWhole && (width === null || width === 1);
    case 'bool':
      return (type === 'bool' || isWhole) && (width === null || width === 1);
    case 'string':
      return type === 'string' && (width === null || width === 1);
    default:
      return false;
  }
}

// Two columns of floats for one declared number are a classifier's probabilities: the last is the positive class.
function pickOf({ shape }: TensorSpec): 'first' | 'last' {
  return shape[1] === 2 ? 'last' : 'first';
}

function widthOf(type: DataType): number {
  return type.kind === 'vector' ? type.size : 1;
}

function totalWidth(service: ResolvedService): number {
  return service.features.reduce((sum, { type }) => sum + widthOf(type), 0);
}

function featureList(service: ResolvedService): string {
  return service.features.map(({ name, type }) => `${name} ${typeName(type)}`).join(', ');
}

function shapeText({ shape }: TensorSpec): string {
  return `[${shape.map((size) => size ?? 'N').join(', ')}]`;
}

function unfit(model: ModelSpec, sentence: string): HeadraceError {
  return new HeadraceError('HR_MODEL_SIGNATURE', `model "${model.name}" does not fit: ${sentence}.`);
}
