// JSON bodies: whole numbers keep all their digits, and what isn't JSON is an error of the catalogue.

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { HeadraceError, type Json, messageOf, parseJson } from '../../core/index.ts';
import { addBodyParser, type BodyBounds } from './body-parser.ts';

export function addJsonBody(app: FastifyInstance, bounds: BodyBounds): void {
  addBodyParser(app, 'application/json', bounds, parseJsonBody);
}

/** Throws HR_MALFORMED_JSON. */
export function parseJsonBody(bytes: Buffer): Json {
  // Decoding would put U+FFFD where bytes are none, and values would change in silence.
  if (!isUtf8(bytes)) throw new HeadraceError('HR_MALFORMED_JSON', 'the body is not UTF-8.');
  const text = bytes.toString('utf8');
  if (text.trim() === '') throw new HeadraceError('HR_MALFORMED_JSON', 'the body is empty; it must be JSON.');
  try {
    return parseJson(text);
  } catch (thrown) {
    // Numbers of many digits are looked for by calls as deep as what they are in.
    if (thrown instanceof RangeError) throw new HeadraceError('HR_MALFORMED_JSON', 'the body is nested too deeply.');
    throw new HeadraceError('HR_MALFORMED_JSON', `the body is not JSON: ${messageOf(thrown).slice(0, 200)}`);
  }
}
