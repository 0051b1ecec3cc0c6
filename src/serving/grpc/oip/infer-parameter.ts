// inference.InferParameter and ModelRepositoryParameter: a value by name.

import { DELIMITED, FIXED64, malformed, VARINT, type WireReader } from '../wire/wire-reader.ts';

const KEY = 1;
const VALUE = 2;
const CHOICE = { bool: 1, int64: 2, text: 3, double: 4, uint64: 5 } as const;

/** Far more than any client sends. */
const MOST_PARAMETERS = 1000;

/** Undefined: a kind that is none of these. */
export type ParameterValue = boolean | bigint | number | string | undefined;

export type Parameters = Map<string, ParameterValue>;

/** The map's entry that is the field's value. */
export function readParameter(reader: WireReader, into: Parameters): void {
  const outer = reader.enter();
  let name = '';
  let value: ParameterValue;
  while (reader.next()) {
    if (reader.is(KEY, DELIMITED)) name = reader.text();
    else if (reader.is(VALUE, DELIMITED)) value = readChoice(reader);
    else reader.skip();
  }
  reader.leave(outer);
  if (into.size >= MOST_PARAMETERS) throw malformed(`it has more than ${MOST_PARAMETERS} parameters in one place`);
  into.set(name, value);
}

function readChoice(reader: WireReader): ParameterValue {
  const outer = reader.enter();
  let value: ParameterValue;
  while (reader.next()) {
    if (reader.is(CHOICE.bool, VARINT)) value = reader.bool();
    else if (reader.is(CHOICE.int64, VARINT)) value = reader.int64();
    else if (reader.is(CHOICE.text, DELIMITED)) value = reader.text();
    else if (reader.is(CHOICE.double, FIXED64)) value = reader.double();
    else if (reader.is(CHOICE.uint64, VARINT)) value = reader.uint64();
    else reader.skip();
  }
  reader.leave(outer);
  return value;
}
