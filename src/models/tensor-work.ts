// Tensors of one caller as work for a model: for protocols that bring tensors, and for checks.

import { HeadraceError, type Scope } from '../core/index.ts';
import type { Signature, Tensor, TensorData, Tensors } from './tensor.ts';
import type { BatchInput, ModelWork } from './model-work.ts';
import { isText } from './tensor-arrays.ts';

/** Work whose rows lie in tensors already. */
export interface TensorWork extends ModelWork {
  /** In the signature's order. */
  readonly tensors: readonly Tensor[];
  /** Its rows depend on each other, or need not give one each: they run by themselves and all at once. */
  readonly isWhole: boolean;
}

export function hasTensors(work: ModelWork): work is TensorWork {
  return 'tensors' in work;
}

export function isWhole(work: ModelWork): work is TensorWork {
  return hasTensors(work) && work.isWhole;
}

/**
 * `submit` gets one work. Throws HR_INVALID for tensors that are not the signature's: a missing or unknown input, a wrong
 * type or shape, a text with a NUL; and what the work is told. `isWholeWith`: whether so many rows run by themselves and all at
 * once, and what comes of them is the answer, whatever its first size.
 */
export function inferTensors(
  signature: Signature,
  submit: (work: TensorWork) => void,
  inputs: Tensors,
  scope: Scope,
  isWholeWith: (rows: number) => boolean,
): Promise<Tensors> {
  return new Promise((resolve, reject) => {
    const mistake = tensorsMistake(signature, inputs);
    if (mistake !== undefined) return reject(new HeadraceError('HR_INVALID', `${mistake}.`));
    const tensors = signature.inputs.map(({ name }) => inputs[name] as Tensor);
    const count = tensors[0]?.shape[0] ?? 1;
    const runsWhole = isWholeWith(count);
    submit({
      count,
      scope,
      rowShapes: tensors.map(({ shape }) => shape.slice(1)),
      bind: (index, batch, place) => bindTensors(tensors, index, index + 1, batch, place),
      bindRows: (from, to, batch, place) => bindTensors(tensors, from, to, batch, place),
      done: (outputs, first) =>
        resolve(
          Object.fromEntries(
            signature.outputs.map(({ name }, at) => {
              const output = outputs[at] as Tensor;
              return [name, runsWhole ? output : takeRows(output, first, count)];
            }),
          ),
        ),
      failed: reject,
      tensors,
      isWhole: runsWhole,
    });
  });
}

function bindTensors(
  tensors: readonly Tensor[],
  from: number,
  to: number,
  batch: readonly BatchInput[],
  place: number,
): void {
  for (let at = 0; at < tensors.length; at++) {
    const { data } = tensors[at] as Tensor;
    const { data: target, width } = batch[at] as BatchInput;
    if (isText(data)) {
      // The target is the model's own, to be written.
      const texts = target as string[];
      for (let i = from * width; i < to * width; i++) texts[place * width + i - from * width] = data[i] as string;
    }
    // Checked to be of one type, so one kind of array.
    else (target as Float32Array).set((data as Float32Array).subarray(from * width, to * width), place * width);
  }
}

// A copy where the run was others' as well.
function takeRows(tensor: Tensor, first: number, count: number): Tensor {
  const { type, shape, data } = tensor;
  if (first === 0 && shape[0] === count) return tensor;
  const width = data.length / Math.max(shape[0] ?? 1, 1);
  const part = data.slice(first * width, (first + count) * width) as TensorData;
  return { type, shape: [count, ...shape.slice(1)], data: part };
}

/** Such rows weigh nothing in a request, and are run and answered all the same. */
const MOST_EMPTY_ROWS = 10_000;

/** What is wrong with tensors that a caller brings; one bad caller must not spoil a batch. */
function tensorsMistake(signature: Signature, inputs: Tensors): string | undefined {
  let rows: number | undefined;
  let hasElements = false;
  for (const spec of signature.inputs) {
    const { name } = spec;
    const tensor = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
    if (tensor === undefined) return `input "${name}" is missing${besides(inputs, signature)}`;
    if (tensor.type !== spec.type) return `input "${name}" is ${tensor.type}, expected ${spec.type}`;
    let size = 1;
    let fits = tensor.shape.length === spec.shape.length;
    for (let at = 0; at < tensor.shape.length; at++) {
      const given = tensor.shape[at] as number;
      const expected = spec.shape[at];
      size *= given;
      // A first dimension fixed at 1 runs row by row, so any number of rows will do.
      if (typeof expected === 'number' && expected !== given && !(at === 0 && expected === 1)) fits = false;
    }
    if (!fits)
      return `input "${name}" has the shape [${tensor.shape.join(', ')}], expected [${spec.shape.map((s) => s ?? 'N').join(', ')}]`;
    if (size !== tensor.data.length)
      return `input "${name}" has ${tensor.data.length} elements, its shape says ${size}`;
    const first = tensor.shape[0];
    if ((spec.shape[0] === null || spec.shape[0] === 1) && first !== undefined) {
      if (first === 0) return `input "${name}" has no rows`;
      if (rows !== undefined && rows !== first) return `input "${name}" has ${first} rows, another input has ${rows}`;
      rows = first;
      hasElements ||= size > 0;
    }
    if (isText(tensor.data) && tensor.data.some((text) => text.includes('\0')))
      return `input "${name}" holds a NUL character, where the runtime would cut the text`;
  }
  if (rows !== undefined && rows > MOST_EMPTY_ROWS && !hasElements)
    return `the inputs have ${rows} rows and no element in any; at most ${MOST_EMPTY_ROWS} may come so`;
  const unknown = unknownInput(inputs, signature);
  return unknown === undefined ? undefined : `the model has no input "${unknown}"`;
}

function unknownInput(inputs: Tensors, signature: Signature): string | undefined {
  return Object.keys(inputs).find((name) => !signature.inputs.some((spec) => spec.name === name));
}

// What is missing most often came under another name.
function besides(inputs: Tensors, signature: Signature): string {
  const unknown = unknownInput(inputs, signature);
  return unknown === undefined ? '' : `, and the model has no input "${unknown}"`;
}
