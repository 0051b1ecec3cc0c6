// The inference plane's answer → inference.ModelInferResponse.

import { isText, type Tensor } from '../../../models/index.ts';
import type { InferAnswer } from '../../oip/inference-plane.ts';
import { writeRawData } from '../../oip/raw-data.ts';
import { datatypeOf, type NamedTensor } from '../../oip/tensors.ts';
import type { WireWriter } from '../wire/wire-writer.ts';
import { CONTENTS } from './read-contents.ts';
import type { AskedModel } from './read-infer-request.ts';

const RESPONSE = { model: 1, version: 2, id: 3, parameters: 4, outputs: 5, raw: 6 } as const;
const OUTPUT = { name: 1, datatype: 2, shape: 3, contents: 5 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const BOOL = 1;

export interface ResponseForm {
  /** Outputs go as raw contents: all of them, or none. */
  readonly isRaw: boolean;
  readonly saysFinal: boolean;
}

export function writeInferResponse(
  out: WireWriter,
  { model, id }: Pick<AskedModel, 'model' | 'id'>,
  { version, outputs }: InferAnswer,
  { isRaw, saysFinal }: ResponseForm,
): void {
  const goesRaw = isRaw || outputs.some(({ type }) => CONTENTS[type] === undefined);
  out.text(RESPONSE.model, model);
  if (version !== undefined) out.text(RESPONSE.version, version);
  if (id !== '') out.text(RESPONSE.id, id);
  if (saysFinal) {
    const entry = out.begin(RESPONSE.parameters);
    out.text(ENTRY.key, 'triton_final_response');
    const value = out.begin(ENTRY.value);
    out.bool(BOOL, true);
    out.end(value);
    out.end(entry);
  }
  for (const output of outputs) writeOutput(out, output, goesRaw);
  if (goesRaw) for (const output of outputs) out.bytes(RESPONSE.raw, writeRawData(output));
}

function writeOutput(out: WireWriter, output: NamedTensor, isRaw: boolean): void {
  const place = out.begin(RESPONSE.outputs);
  out.text(OUTPUT.name, output.name);
  out.text(OUTPUT.datatype, datatypeOf(output.type));
  if (output.shape.length > 0) {
    const shape = out.begin(OUTPUT.shape);
    for (const size of output.shape) out.packedInt(size);
    out.end(shape);
  }
  if (!isRaw) writeContents(out, output);
  out.end(place);
}

function writeContents(out: WireWriter, { type, data }: Tensor): void {
  const member = CONTENTS[type];
  if (member === undefined) return;
  const contents = out.begin(OUTPUT.contents);
  if (isText(data)) for (const text of data) out.text(member.field, text);
  else {
    const packed = out.begin(member.field);
    switch (type) {
      case 'float32':
        for (const value of data) out.packedFloat(value as number);
        break;
      case 'float64':
        for (const value of data) out.packedDouble(value as number);
        break;
      case 'int64':
      case 'uint64':
        for (const value of data) out.packedInt64(BigInt.asIntN(64, value as bigint));
        break;
      default:
        for (const value of data) out.packedInt(value as number);
    }
    out.end(packed);
  }
  out.end(contents);
}
