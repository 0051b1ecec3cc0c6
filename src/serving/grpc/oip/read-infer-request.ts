// inference.ModelInferRequest → what the inference plane takes.

import { invalid } from '../../../core/index.ts';
import type { InferRequest } from '../../oip/inference-plane.ts';
import { readRawData } from '../../oip/raw-data.ts';
import { elementsOf, KNOWN_DATATYPES, type NamedTensor, tensorTypeOf } from '../../oip/tensors.ts';
import { MOST_DIMENSIONS, noClasses, noSequences, noSharedMemory, refuseTwice } from '../../oip/request-rules.ts';
import { DELIMITED, malformed, VARINT, WireReader } from '../wire/wire-reader.ts';
import { type Parameters, type ParameterValue, readParameter } from './infer-parameter.ts';
import { readContents } from './read-contents.ts';

/** Who is asked: read first, since what refuses the rest is counted there. */
export interface AskedModel {
  readonly model: string;
  /** Undefined: none is named. */
  readonly version: string | undefined;
  /** As the client calls its request; given back. */
  readonly id: string;
}

export interface AskedInference extends InferRequest {
  /** How long it may take; undefined: not said. */
  readonly timeoutMs: number | undefined;
  /** It gives way to requests that do not say so. */
  readonly isPatient: boolean;
  /** Whether the inputs came as raw contents: then the outputs go so. */
  readonly isRaw: boolean;
  /** Of a stream: the answer is to say that it is the request's last. */
  readonly saysFinal: boolean;
}

const REQUEST = { model: 1, version: 2, id: 3, parameters: 4, inputs: 5, outputs: 6, raw: 7 } as const;
const INPUT = { name: 1, datatype: 2, shape: 3, parameters: 4, contents: 5 } as const;
const OUTPUT = { name: 1, parameters: 2 } as const;
const MOST_TENSORS = 10_000;
/** Clients send one. */
const MOST_PIECES = 1000;

/** Throws HR_MALFORMED_PROTOBUF. */
export function readAskedModel(bytes: Buffer): AskedModel {
  const reader = new WireReader(bytes);
  const texts = { model: '', version: '', id: '' };
  while (reader.next()) {
    if (reader.is(REQUEST.model, DELIMITED)) texts.model = reader.text();
    else if (reader.is(REQUEST.version, DELIMITED)) texts.version = reader.text();
    else if (reader.is(REQUEST.id, DELIMITED)) texts.id = reader.text();
    else reader.skip();
  }
  return { ...texts, version: texts.version === '' ? undefined : texts.version };
}

/** Throws HR_MALFORMED_PROTOBUF, HR_INVALID. */
export function readInference(bytes: Buffer): AskedInference {
  const reader = new WireReader(bytes);
  const inputs: SentInput[] = [];
  const outputs: string[] = [];
  const raw: Buffer[] = [];
  const parameters: Parameters = new Map();
  while (reader.next()) {
    if (reader.is(REQUEST.parameters, DELIMITED)) readParameter(reader, parameters);
    else if (reader.is(REQUEST.inputs, DELIMITED)) inputs.push(readInput(reader, `inputs[${inputs.length}]`));
    else if (reader.is(REQUEST.outputs, DELIMITED)) outputs.push(readOutput(reader, `outputs[${outputs.length}]`));
    else if (reader.is(REQUEST.raw, DELIMITED)) raw.push(reader.view());
    else reader.skip();
    if (inputs.length + outputs.length + raw.length > MOST_TENSORS)
      throw wrong('inputs', `expected at most ${MOST_TENSORS} tensors`);
  }
  if (raw.length > 0 && raw.length !== inputs.length)
    throw wrong('raw_input_contents', `expected one for each of ${inputs.length} inputs, got ${raw.length}`);
  refuseTwice(
    inputs.map(({ name }) => name),
    'inputs',
  );
  refuseTwice(outputs, 'outputs');
  const tensors = inputs.map((input, at) => readTensor(input, raw[at], bytes.length, `inputs[${at}]`));
  return {
    inputs: tensors,
    // As Triton has it: naming none is naming all.
    outputs: outputs.length === 0 ? undefined : outputs,
    isRaw: raw.length > 0,
    ...readOptions(parameters),
  };
}

interface SentInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly contents: Buffer | undefined;
}

function readInput(reader: WireReader, path: string): SentInput {
  const outer = reader.enter();
  const input = { name: '', datatype: '' };
  const pieces: Buffer[] = [];
  const shape: number[] = [];
  const parameters: Parameters = new Map();
  const readSize = (): void => {
    const size = reader.int64();
    if (size < 0n || size > Number.MAX_SAFE_INTEGER)
      throw wrong(`${path}.shape[${shape.length}]`, `expected a whole number from 0 on, got ${size}`);
    if (shape.length === MOST_DIMENSIONS)
      throw wrong(`${path}.shape`, `expected at most ${MOST_DIMENSIONS} dimensions`);
    shape.push(Number(size));
  };
  while (reader.next()) {
    if (reader.is(INPUT.name, DELIMITED)) input.name = reader.text();
    else if (reader.is(INPUT.datatype, DELIMITED)) input.datatype = reader.text();
    else if (reader.is(INPUT.shape, DELIMITED) || reader.is(INPUT.shape, VARINT)) reader.each(VARINT, readSize);
    else if (reader.is(INPUT.parameters, DELIMITED)) readParameter(reader, parameters);
    else if (reader.is(INPUT.contents, DELIMITED)) {
      // Of a message that comes in several pieces the pieces are one, as everywhere.
      if (pieces.length === MOST_PIECES) throw malformed(`contents come in more than ${MOST_PIECES} pieces`);
      pieces.push(reader.view());
    } else reader.skip();
  }
  reader.leave(outer);
  refuseSharedMemory(parameters, path);
  if (input.name === '') throw wrong(`${path}.name`, 'expected a name, got none');
  const [first] = pieces;
  return { ...input, shape, contents: pieces.length > 1 ? Buffer.concat(pieces) : first };
}

function readOutput(reader: WireReader, path: string): string {
  const outer = reader.enter();
  const parameters: Parameters = new Map();
  let name = '';
  while (reader.next()) {
    if (reader.is(OUTPUT.name, DELIMITED)) name = reader.text();
    else if (reader.is(OUTPUT.parameters, DELIMITED)) readParameter(reader, parameters);
    else reader.skip();
  }
  reader.leave(outer);
  refuseSharedMemory(parameters, path);
  if (!isZero(parameters.get('classification'))) throw noClasses(path);
  if (name === '') throw wrong(`${path}.name`, 'expected a name, got none');
  return name;
}

function readTensor(
  { name, datatype, shape, contents }: SentInput,
  raw: Buffer | undefined,
  messageBytes: number,
  path: string,
): NamedTensor {
  const type = tensorTypeOf(datatype);
  if (type === undefined)
    throw wrong(
      `${path}.datatype`,
      `expected one of ${KNOWN_DATATYPES.join(', ')}, got ${JSON.stringify(datatype.slice(0, 40))}`,
    );
  const count = elementsOf(shape, messageBytes);
  // What is made room for has come.
  if (count === undefined)
    throw wrong(`${path}.shape`, `has more elements than a message of ${messageBytes} bytes can hold`);
  if (raw === undefined)
    return { name, type, shape, data: readContents(contents ?? Buffer.alloc(0), type, count, path) };
  if (contents !== undefined && contents.length > 0)
    throw wrong(`${path}.contents`, 'expected none beside raw_input_contents');
  return { name, type, shape, data: readRawData(raw, type, count, path) };
}

type Options = Pick<AskedInference, 'timeoutMs' | 'isPatient' | 'saysFinal'>;

/** Others are the models' own in other servers; here no model reads any. */
function readOptions(parameters: Parameters): Options {
  if (!isZero(parameters.get('sequence_id'))) throw noSequences();
  const timeoutMicros = wholeOf(parameters.get('timeout'), 'parameters.timeout');
  return {
    timeoutMs: timeoutMicros === 0 ? undefined : timeoutMicros / 1000,
    isPatient: wholeOf(parameters.get('priority'), 'parameters.priority') > 1,
    saysFinal: parameters.get('triton_enable_empty_final_response') === true,
  };
}

function isZero(value: ParameterValue): boolean {
  return value === undefined || value === 0n || value === '' || value === 0;
}

function wholeOf(value: ParameterValue, path: string): number {
  if (value === undefined) return 0;
  const number = typeof value === 'string' ? (/^\d{1,15}$/.test(value) ? Number(value) : NaN) : Number(value);
  if (typeof value !== 'boolean' && Number.isSafeInteger(number) && number >= 0) return number;
  throw wrong(path, `expected a whole number from 0 on, got ${String(value).slice(0, 40)}`);
}

function refuseSharedMemory(parameters: Parameters, path: string): void {
  if (parameters.has('shared_memory_region')) throw noSharedMemory(path);
}

function wrong(path: string, message: string): Error {
  return invalid([{ path, message }]);
}
