// A model's inputs and outputs in a line, for tables.

import type { Json } from '../core/index.ts';
import type { Signature, TensorSpec } from '../models/index.ts';

/** `features float32[N,22] → probability float32[N,1]`; N is the number of rows, ? any other size that is open. */
export function describeTensors(signature: Json): string {
  // The registry keeps what the runtime read of the file; a version of before that has null.
  const { inputs, outputs } = (signature ?? { inputs: [], outputs: [] }) as unknown as Signature;
  const tensor = ({ name, type, shape }: TensorSpec): string => {
    const sizes = shape.map((size, at) => (size === null ? (at === 0 ? 'N' : '?') : String(size)));
    return `${name} ${type}[${sizes.join(',')}]`;
  };
  if (inputs.length === 0 && outputs.length === 0) return '';
  return `${inputs.map(tensor).join(', ')} → ${outputs.map(tensor).join(', ')}`;
}
