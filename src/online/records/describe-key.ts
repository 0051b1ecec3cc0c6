// An encoded entity key as people read it, for errors: `origin "ATL", destination "ORD"`.

import type { EncodedKey } from '../../core/index.ts';
import type { EntitySpec } from '../../definitions/index.ts';

export function describeKey(entity: EntitySpec, key: EncodedKey): string {
  let at = 0;
  const parts: string[] = [];
  for (const { name, type } of entity.keys) {
    switch (type.kind) {
      case 'bool':
        parts.push(`${name} ${key[at + 1] === 1}`);
        at += 2;
        break;
      case 'int32':
      case 'int64':
      case 'timestamp': {
        const bits = Buffer.from(key.subarray(at + 1, at + 9)).readBigUInt64BE() ^ (1n << 63n);
        parts.push(`${name} ${BigInt.asIntN(64, bits)}`);
        at += 9;
        break;
      }
      case 'float32':
      case 'float64':
        parts.push(`${name} 0x${Buffer.from(key.subarray(at + 1, at + 9)).toString('hex')}`);
        at += 9;
        break;
      default: {
        const bytes: number[] = [];
        for (at++; key[at] !== 0 || key[at + 1] !== 0; at++) {
          bytes.push(key[at] as number);
          if (key[at] === 0) at++;
        }
        at += 2;
        const content = Buffer.from(bytes);
        parts.push(
          `${name} ${type.kind === 'string' ? JSON.stringify(content.toString()) : `0x${content.toString('hex')}`}`,
        );
      }
    }
  }
  return parts.join(', ');
}
