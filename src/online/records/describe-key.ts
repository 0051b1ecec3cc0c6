// An encoded entity key as people read it, for errors: `origin "ATL", destination "ORD"`.

import { decodeKey, type EncodedKey, type Value } from '../../core/index.ts';
import type { EntitySpec } from '../../definitions/index.ts';

export function describeKey({ keys }: EntitySpec, key: EncodedKey): string {
  const values = decodeKey(
    keys.map(({ type }) => type),
    key,
  );
  return keys.map(({ name }, i) => `${name} ${describe(values[i])}`).join(', ');
}

function describe(value: Value | undefined): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return value instanceof Uint8Array ? `0x${Buffer.from(value).toString('hex')}` : String(value);
}
