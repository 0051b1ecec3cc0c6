// A body that is one tensor's data and nothing else: what it is of is what the model says.

import { invalid } from '../../../core/index.ts';
import { readRawData } from '../../oip/raw-data.ts';
import { binaryBytes, type DescribedTensor, type NamedTensor, tensorTypeOf } from '../../oip/tensors.ts';

/**
 * The only input's data. One size that the model leaves open is what the number of bytes makes it; the whole body is one text of
 * BYTES. Throws HR_INVALID.
 */
export function rawTensor(body: Buffer, inputs: readonly DescribedTensor[]): NamedTensor {
  const [only] = inputs;
  if (only === undefined || inputs.length > 1)
    throw wrong(`a body without JSON is for a model of one input, and this one has ${inputs.length}`);
  const { name, datatype, shape } = only;
  const type = tensorTypeOf(datatype);
  if (type === undefined) throw wrong(`input "${name}" is ${datatype}, which no body is read as`);
  const elementSize = binaryBytes(type);
  const open = shape.filter((size) => size < 0).length;
  if (open > 1) throw wrong(`input "${name}" leaves ${open} sizes open, which the number of bytes does not tell`);
  const fixed = shape.reduce((product, size) => (size < 0 ? product : product * size), 1);
  if (elementSize === undefined) {
    if (fixed !== 1) throw wrong(`input "${name}" has ${fixed} elements of BYTES, and a body without JSON is one`);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(body.length);
    const data = readRawData(Buffer.concat([length, body]), type, 1, 'body');
    return { name, type, shape: shape.map((size) => Math.abs(size)), data };
  }
  const rowBytes = fixed * elementSize;
  const rows = open === 0 ? 1 : Math.floor(body.length / Math.max(rowBytes, 1));
  const sizes = shape.map((size) => (size < 0 ? rows : size));
  return { name, type, shape: sizes, data: readRawData(body, type, fixed * rows, 'body') };
}

function wrong(message: string): Error {
  return invalid([{ path: 'body', message }]);
}
