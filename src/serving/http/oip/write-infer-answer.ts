// The answer to an inference request: JSON, and behind it the binary data of the outputs that go so.

import type { InferAnswer } from '../../oip/inference-plane.ts';
import { writeRawData } from '../../oip/raw-data.ts';
import { datatypeOf } from '../../oip/tensors.ts';
import { writeJsonData } from './json-data.ts';

export interface WrittenAnswer {
  readonly json: string;
  /** Undefined where no output goes as binary data: then the JSON is all of it. */
  readonly binary: readonly Buffer[] | undefined;
}

export function writeInferAnswer(
  model: string,
  { version, outputs }: InferAnswer,
  id: string | undefined,
  isBinary: (output: string) => boolean,
): WrittenAnswer {
  let binary: Buffer[] | undefined;
  let tensors = '';
  for (const output of outputs) {
    const { name, type, shape } = output;
    const start = `{"name":${JSON.stringify(name)},"datatype":"${datatypeOf(type)}","shape":[${shape.join(',')}]`;
    const comma = tensors === '' ? '' : ',';
    if (isBinary(name)) {
      const data = writeRawData(output);
      (binary ??= []).push(data);
      tensors += `${comma}${start},"parameters":{"binary_data_size":${data.length}}}`;
    } else tensors += `${comma}${start},"data":[${writeJsonData(output)}]}`;
  }
  const named = `"model_name":${JSON.stringify(model)}`;
  const of = version === undefined ? '' : `,"model_version":${JSON.stringify(version)}`;
  const called = id === undefined || id === '' ? '' : `"id":${JSON.stringify(id)},`;
  return { json: `{${called}${named}${of},"outputs":[${tensors}]}`, binary };
}
