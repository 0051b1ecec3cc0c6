// How a row came to its arm, as bytes of its record: made once a route, since all rows that take one say the same.
// length · via 1 · revision · phase · assigned · experiment · fallback from; numbers and lengths are LEB128, no text is 0.

import { sha256Hex } from '../../core/index.ts';
import type { RecordRoute } from './prediction-log.ts';
import { type Cursor, readByte } from './read-value.ts';

/** By their byte; the text of another one lies behind the others. */
const VIAS = ['forced', 'rule', 'holdout', 'experiment', 'rollout', 'base', 'no_unit'];
/** Nobody said how. */
const NO_ROUTE = 255;
const OTHER_VIA = 254;

export type DecodedRoute = Omit<RecordRoute, 'unitFields' | 'keepsUnitsWhole'>;

/** Of null they say that nothing is known. */
export function packRoute(route: RecordRoute | null): Uint8Array {
  const bytes: number[] = [];
  if (route === null) bytes.push(NO_ROUTE);
  else {
    const via = VIAS.indexOf(route.via);
    bytes.push(via < 0 ? OTHER_VIA : via);
    putNumber(bytes, route.revision);
    putNumber(bytes, route.phase ?? 0);
    for (const text of [route.assigned, route.experiment, route.fallbackFrom]) putText(bytes, text);
    if (via < 0) putText(bytes, route.via);
  }
  const length: number[] = [];
  putNumber(length, bytes.length);
  return Uint8Array.from([...length, ...bytes]);
}

/** Gives the same object for the same bytes; null where nothing is known. */
export type RouteReader = (cursor: Cursor) => DecodedRoute | null;

/** A log has few routes, a damaged one as many as its bytes are. */
const MOST_KNOWN = 10_000;

export function createRouteReader(): RouteReader {
  const known = new Map<string, DecodedRoute | null>();
  return (cursor) => {
    const length = readNumber(cursor);
    const end = cursor.at + length;
    if (end > cursor.bytes.length) throw new RangeError('a route passes the end of its record');
    const key = cursor.bytes.toString('latin1', cursor.at, end);
    const found = known.get(key);
    if (found === undefined) {
      const route = readRoute({ bytes: cursor.bytes.subarray(0, end), at: cursor.at });
      cursor.at = end;
      if (known.size < MOST_KNOWN) known.set(key, route);
      return route;
    }
    cursor.at = end;
    return found;
  };
}

function readRoute(cursor: Cursor): DecodedRoute | null {
  const code = readByte(cursor);
  if (code === NO_ROUTE) return null;
  const revision = readNumber(cursor);
  const phase = readNumber(cursor);
  const [assigned, experiment, fallbackFrom] = [readShort(cursor), readShort(cursor), readShort(cursor)];
  const via = code === OTHER_VIA ? readShort(cursor) : VIAS[code];
  return {
    via: via ?? '',
    assigned: assigned ?? '',
    experiment,
    phase: experiment === null ? null : phase,
    revision,
    fallbackFrom,
  };
}

function putNumber(bytes: number[], value: number): void {
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  bytes.push(left);
}

function putText(bytes: number[], text: string | null): void {
  const encoded = text === null ? undefined : Buffer.from(text);
  putNumber(bytes, encoded === undefined ? 0 : encoded.length + 1);
  if (encoded !== undefined) bytes.push(...encoded);
}

function readNumber(cursor: Cursor): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = readByte(cursor);
    value += (byte % 128) * factor;
    if (byte < 128) break;
  }
  if (!Number.isSafeInteger(value)) throw new RangeError('a number of a route is none');
  return value;
}

function readShort(cursor: Cursor): string | null {
  const length = readNumber(cursor) - 1;
  if (length < 0) return null;
  const from = cursor.at;
  if (from + length > cursor.bytes.length) throw new RangeError('a text passes the end of its route');
  cursor.at = from + length;
  return cursor.bytes.toString('utf8', from, cursor.at);
}

/** Longer units are logged by their hash: a text that is cut might be another unit's, too. */
export const MOST_UNIT_SIGNS = 256;

/** In place of a unit's text where that is redacted or too long; in SQL `'sha256:' || left(sha256(unit), 32)`. */
export const hashUnit = (unit: string): string => `sha256:${sha256Hex(unit).slice(0, 32)}`;
