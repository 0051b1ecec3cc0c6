// The body of an inference request: JSON, and behind it the binary data of the tensors that have some, in their order. A body
// without JSON is one tensor's data as it is.

import { type ErrorDetail, describe, invalid, nearestName } from '../../../core/index.ts';
import { readRawData } from '../../oip/raw-data.ts';
import type { InferRequest } from '../../oip/inference-plane.ts';
import {
  type DescribedTensor,
  elementsOf,
  KNOWN_DATATYPES,
  type NamedTensor,
  tensorTypeOf,
} from '../../oip/tensors.ts';
import { MOST_DIMENSIONS, noClasses, noSequences, noSharedMemory, refuseTwice } from '../../oip/request-rules.ts';
import { readJsonData } from './json-data.ts';
import { parseLenientJson } from './lenient-json.ts';
import { rawTensor } from './raw-tensor.ts';

export interface InferBody extends InferRequest {
  /** As the client calls its request; given back. */
  readonly id: string | undefined;
  /** How long it may take, in microseconds; undefined: not said. */
  readonly timeoutMicros: number | undefined;
  /** It gives way to requests that do not say so. */
  readonly isPatient: boolean;
  /** Whether an output goes as binary data. */
  readonly isBinary: (output: string) => boolean;
}

/**
 * `jsonLength`: of the JSON at the body's begin, as its header says; undefined: all of it. `inputs` gives what the model takes,
 * for a body that does not say. Throws HR_MALFORMED_JSON, HR_INVALID.
 */
export function readInferBody(
  body: Buffer,
  jsonLength: number | undefined,
  inputs: () => readonly DescribedTensor[],
): InferBody {
  if (jsonLength === 0) return rawBody(body, inputs());
  if (jsonLength !== undefined && jsonLength > body.length) {
    const message = `says ${jsonLength} bytes, and the body has ${body.length}`;
    throw invalid([{ path: 'Inference-Header-Content-Length', message }]);
  }
  const json = parseLenientJson(jsonLength === undefined ? body : body.subarray(0, jsonLength));
  const members = needObject(json, 'body');
  if (members['inputs'] === undefined) refuseSlip(members);
  const inputsSent = needArray(members['inputs'], 'inputs');
  const cursor = { body, at: jsonLength ?? body.length };
  const tensors = inputsSent.map((input, place) => readTensor(input, `inputs[${place}]`, cursor));
  if (cursor.at < body.length) {
    const message = `${body.length - cursor.at} bytes are left after the tensors that say binary_data_size`;
    throw invalid([{ path: 'body', message }]);
  }
  refuseTwice(
    tensors.map(({ name }) => name),
    'inputs',
  );
  const id = given(members['id']);
  if (id !== undefined && typeof id !== 'string')
    throw invalid([{ path: 'id', message: `expected text, got ${describe(id)}` }]);
  const options = readOptions(members['parameters']);
  return { id, inputs: tensors, ...options, ...readOutputs(members['outputs'], options.isAllBinary) };
}

function rawBody(body: Buffer, inputs: readonly DescribedTensor[]): InferBody {
  const tensors = [rawTensor(body, inputs)];
  return {
    id: undefined,
    inputs: tensors,
    outputs: undefined,
    timeoutMicros: undefined,
    isPatient: false,
    isBinary: () => true,
  };
}

interface Cursor {
  readonly body: Buffer;
  at: number;
}

function readTensor(json: unknown, path: string, cursor: Cursor): NamedTensor {
  const { name, datatype, shape: sizes, data, parameters } = needObject(json, path);
  if (typeof name !== 'string' || name === '') throw wrong(`${path}.name`, `expected text, got ${describe(name)}`);
  const type = typeof datatype === 'string' ? tensorTypeOf(datatype) : undefined;
  if (type === undefined)
    throw wrong(`${path}.datatype`, `expected one of ${KNOWN_DATATYPES.join(', ')}, got ${describe(datatype)}`);
  const shape = needArray(sizes, `${path}.shape`).map((size, place) => {
    if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size;
    throw wrong(`${path}.shape[${place}]`, `expected a whole number from 0 on, got ${describe(size)}`);
  });
  if (shape.length > MOST_DIMENSIONS)
    throw wrong(`${path}.shape`, `expected at most ${MOST_DIMENSIONS} dimensions, got ${shape.length}`);
  const count = elementsOf(shape, cursor.body.length);
  const said = parametersOf(parameters, `${path}.parameters`);
  refuseSharedMemory(said, path);
  const size = given(said['binary_data_size']);
  // What is made room for has come.
  if (count === undefined)
    throw wrong(`${path}.shape`, `has more elements than a body of ${cursor.body.length} bytes can hold`);
  if (size === undefined) return { name, type, shape, data: readJsonData(data, type, shape, count, `${path}.data`) };
  if (given(data) !== undefined) throw wrong(`${path}.data`, 'expected none beside binary_data_size');
  const left = cursor.body.length - cursor.at;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > left) {
    const message = `expected at most the ${left} bytes that follow, got ${describe(size)}`;
    throw wrong(`${path}.parameters.binary_data_size`, message);
  }
  const bytes = cursor.body.subarray(cursor.at, (cursor.at += size));
  return { name, type, shape, data: readRawData(bytes, type, count, path) };
}

interface Options extends Pick<InferBody, 'timeoutMicros' | 'isPatient'> {
  readonly isAllBinary: boolean;
}

/** Others are the models' own in other servers; here no model reads any. */
function readOptions(json: unknown): Options {
  const said = parametersOf(json, 'parameters');
  const timeout = wholeOf(said['timeout'], 'parameters.timeout');
  const priority = wholeOf(said['priority'], 'parameters.priority');
  const sequence = given(said['sequence_id']);
  if (sequence !== undefined && sequence !== 0 && sequence !== '') throw noSequences();
  return {
    timeoutMicros: timeout === 0 ? undefined : timeout,
    isPatient: (priority ?? 0) > 1,
    isAllBinary: flagOf(said['binary_data_output'], 'parameters.binary_data_output') ?? false,
  };
}

function readOutputs(json: unknown, isAllBinary: boolean): Pick<InferBody, 'outputs' | 'isBinary'> {
  const isBinaryAll = (): boolean => isAllBinary;
  if (given(json) === undefined) return { outputs: undefined, isBinary: isBinaryAll };
  const outputs = needArray(json, 'outputs');
  // As Triton has it: naming none is naming all.
  if (outputs.length === 0) return { outputs: undefined, isBinary: isBinaryAll };
  const binary = new Map<string, boolean>();
  outputs.forEach((output, place) => {
    const path = `outputs[${place}]`;
    const { name, parameters } = needObject(output, path);
    if (typeof name !== 'string' || name === '') throw wrong(`${path}.name`, `expected text, got ${describe(name)}`);
    if (binary.has(name)) throw wrong(path, `${JSON.stringify(name.slice(0, 80))} is asked for twice`);
    const said = parametersOf(parameters, `${path}.parameters`);
    refuseSharedMemory(said, path);
    const classes = given(said['classification']);
    if (classes !== undefined && classes !== 0) throw noClasses(path);
    binary.set(name, flagOf(said['binary_data'], `${path}.parameters.binary_data`) ?? isAllBinary);
  });
  return { outputs: [...binary.keys()], isBinary: (name) => binary.get(name) === true };
}

function refuseSharedMemory(said: Members, path: string): void {
  if (given(said['shared_memory_region']) !== undefined) throw noSharedMemory(path);
}

const MEMBERS = ['inputs', 'outputs', 'parameters', 'id'];
/** A body of 4 MB may have half a million, and to compare each with those that there are takes seconds. */
const MOST_COMPARED = 100;

function refuseSlip(members: Members): void {
  const names = Object.keys(members);
  if (names.length > MOST_COMPARED) return;
  const slips = names.flatMap((name): ErrorDetail[] => {
    const meant = MEMBERS.includes(name) ? undefined : nearestName(name.slice(0, 80), MEMBERS);
    return meant === undefined ? [] : [{ path: name.slice(0, 80), message: `is no member. Did you mean "${meant}"?` }];
  });
  if (slips.length > 0) throw invalid(slips);
}

type Members = Readonly<Record<string, unknown>>;

/** Clients that leave nothing out write null. */
const given = (json: unknown): unknown => json ?? undefined;

const NO_PARAMETERS: Members = {};

function parametersOf(json: unknown, path: string): Members {
  return given(json) === undefined ? NO_PARAMETERS : needObject(json, path);
}

function needObject(json: unknown, path: string): Members {
  if (json !== null && typeof json === 'object' && !Array.isArray(json)) return json as Members;
  throw wrong(path, `expected an object, got ${json === undefined ? 'nothing' : describe(json)}`);
}

function needArray(json: unknown, path: string): readonly unknown[] {
  if (Array.isArray(json)) return json;
  throw wrong(path, `expected an array, got ${json === undefined ? 'nothing' : describe(json)}`);
}

function flagOf(json: unknown, path: string): boolean | undefined {
  if (given(json) === undefined) return undefined;
  if (typeof json === 'boolean') return json;
  throw wrong(path, `expected true or false, got ${describe(json)}`);
}

/** A parameter's value may come as text, too. */
function wholeOf(json: unknown, path: string): number | undefined {
  if (given(json) === undefined) return undefined;
  const value = typeof json === 'string' && /^\d{1,15}$/.test(json) ? Number(json) : json;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(path, `expected a whole number from 0 on, got ${describe(json)}`);
}

function wrong(path: string, message: string): Error {
  return invalid([{ path, message }]);
}
