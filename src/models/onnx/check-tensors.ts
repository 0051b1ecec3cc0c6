// What a caller hands in, held against the signature before it is queued: one bad caller must not spoil a batch.

import { HeadraceError } from '../../core/index.ts';
import type { Signature } from '../model-runtime.ts';
import type { Tensors } from './ort-session.ts';

/** Throws HR_INVALID: a missing or unknown input, a wrong type or shape, a string with a NUL. */
export function checkTensors(signature: Signature, inputs: Tensors): void {
  let rows: number | undefined;
  for (const spec of signature.inputs) {
    const tensor = inputs[spec.name];
    if (tensor === undefined) throw refused(`input "${spec.name}" is missing`);
    if (tensor.type !== spec.type) throw refused(`input "${spec.name}" is ${tensor.type}, expected ${spec.type}`);
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
      throw refused(
        `input "${spec.name}" has the shape [${tensor.shape.join(', ')}], expected [${spec.shape.map((s) => s ?? 'N').join(', ')}]`,
      );
    if (size !== tensor.data.length)
      throw refused(`input "${spec.name}" has ${tensor.data.length} elements, its shape says ${size}`);
    const first = tensor.shape[0];
    if (spec.shape[0] === null && first !== undefined) {
      if (rows !== undefined && rows !== first)
        throw refused(`input "${spec.name}" has ${first} rows, another input has ${rows}`);
      rows = first;
    }
    if (tensor.type === 'string' && (tensor.data as readonly string[]).some((text) => text.includes('\0'))) {
      throw refused(`input "${spec.name}" holds a NUL character, where the runtime would cut the text`);
    }
  }
  for (const name in inputs)
    if (!signature.inputs.some((spec) => spec.name === name)) throw refused(`the model has no input "${name}"`);
}

function refused(sentence: string): HeadraceError {
  return new HeadraceError('HR_INVALID', `${sentence}.`);
}
