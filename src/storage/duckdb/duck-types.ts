// Our types as DuckDB's node API names them, for functions and chunks that we make; as a text, SQL's name of it.

import {
  ARRAY,
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  type DuckDBType,
  FLOAT,
  INTEGER,
  LIST,
  TIMESTAMP,
  VARCHAR,
} from '@duckdb/node-api';
import type { DataType } from '../../core/index.ts';

/** Most rows of a chunk: DuckDB's vector size. */
export const CHUNK_ROWS = 2048;

export function nodeDuckType(type: DataType): DuckDBType {
  switch (type.kind) {
    case 'bool':
      return BOOLEAN;
    case 'int32':
      return INTEGER;
    case 'int64':
      return BIGINT;
    case 'float32':
      return FLOAT;
    case 'float64':
      return DOUBLE;
    case 'string':
      return VARCHAR;
    case 'bytes':
      return BLOB;
    case 'timestamp':
      return TIMESTAMP;
    case 'list':
      return LIST(nodeDuckType(type.of));
    case 'vector':
      return ARRAY(FLOAT, type.size);
  }
}
