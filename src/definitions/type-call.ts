// A type as a feature repository writes it: `t.list(t.int64())`.

import type { DataType } from '../core/index.ts';

export function typeCall(type: DataType): string {
  switch (type.kind) {
    case 'list':
      return `t.list(${typeCall(type.of)})`;
    case 'vector':
      return `t.vector(${type.size})`;
    default:
      return `t.${type.kind}()`;
  }
}
