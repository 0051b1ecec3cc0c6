// Members of JSON that others wrote, which may be anything.

import type { Json } from '../../../core/index.ts';

/** The members of an object; none of anything else. */
export function record(json: Json | undefined): Readonly<Record<string, Json | undefined>> {
  const isObject = json !== null && typeof json === 'object' && !Array.isArray(json);
  return isObject ? (json as Readonly<Record<string, Json | undefined>>) : {};
}
