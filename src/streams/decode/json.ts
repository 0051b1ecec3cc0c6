// JSON messages: an object each, in UTF-8, by the rules of a push.

import { messageOf, parseJson } from '../../core/index.ts';
import { type ColumnsOf, type Decode, Undecodable } from './decoder.ts';
import { type TimeUnit, timeText } from './json-values.ts';

/** `timeUnit`: what numbers in timestamp columns count; left out, they are text. */
export function jsonDecoder({ columns }: ColumnsOf, timeUnit?: TimeUnit): Decode {
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const times = timeUnit === undefined ? [] : columns.filter(({ type }) => type.kind === 'timestamp');
  return (value) => {
    const json = parse(utf8, value);
    if (json === null || typeof json !== 'object' || Array.isArray(json)) throw new Undecodable('it is no JSON object');
    // An object that is no array.
    const row = json as Record<string, unknown>;
    for (const { name } of times) if (row[name] !== undefined) row[name] = timeText(row[name], timeUnit as TimeUnit);
    return row;
  };
}

function parse(utf8: { decode(value: Uint8Array): string }, value: Uint8Array): unknown {
  try {
    return parseJson(utf8.decode(value));
  } catch (error) {
    throw new Undecodable(`it is no JSON: ${messageOf(error)}`);
  }
}
