// Which of MySQL's types can be which of ours, and how a column is asked for so that its text is exact.

import type { DataType } from '../../../core/index.ts';
import type { FoundColumn, Wire } from '../databases/database.ts';
import { isJsonElement } from '../databases/json-lists.ts';

/** A column as the protocol describes it. */
export interface MysqlField {
  readonly name: string;
  /** `columnType` as mysql2 has it. */
  readonly columnType: number;
  readonly columnLength: number;
  readonly characterSet: number;
  readonly flags: number;
}

type Nature = 'int' | 'bit' | 'decimal' | 'float' | 'double' | 'text' | 'bytes' | 'json' | 'time' | 'other';

/** https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const TYPES: Readonly<Record<number, readonly [name: string, nature: Nature]>> = {
  0: ['decimal', 'decimal'],
  1: ['tinyint', 'int'],
  2: ['smallint', 'int'],
  3: ['int', 'int'],
  4: ['float', 'float'],
  5: ['double', 'double'],
  7: ['timestamp', 'time'],
  8: ['bigint', 'int'],
  9: ['mediumint', 'int'],
  10: ['date', 'time'],
  11: ['time', 'other'],
  12: ['datetime', 'time'],
  13: ['year', 'int'],
  15: ['varchar', 'text'],
  16: ['bit', 'bit'],
  245: ['json', 'json'],
  246: ['decimal', 'decimal'],
  247: ['enum', 'text'],
  248: ['set', 'text'],
  249: ['text', 'text'],
  250: ['text', 'text'],
  251: ['text', 'text'],
  252: ['text', 'text'],
  253: ['varchar', 'text'],
  254: ['char', 'text'],
};

/** Of `characterSet`: bytes, not text. */
const BINARY = 63;
const UNSIGNED = 32;
const ENUM = 256;
const SET = 2048;

export const quoteMysqlName = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

export function columnOf(field: MysqlField): FoundColumn {
  const [plain, general] = TYPES[field.columnType] ?? ['another type', 'other'];
  const isBytes = general === 'text' && field.characterSet === BINARY && (field.flags & (ENUM | SET)) === 0;
  const nature = isBytes ? 'bytes' : general;
  return {
    name: field.name,
    type: shownType(field, plain, isBytes),
    wireAs: (declared) => wireOf(quoteMysqlName(field.name), nature, declared),
    momentSql: (utc) => (nature === 'time' ? `TIMESTAMP '${utc}'` : undefined),
    suggested: suggestedOf(field, nature),
  };
}

function shownType({ columnType, columnLength, flags }: MysqlField, plain: string, isBytes: boolean): string {
  if ((flags & ENUM) !== 0) return 'enum';
  if ((flags & SET) !== 0) return 'set';
  if (isBytes) return plain === 'text' ? 'blob' : plain.replace('char', 'binary');
  if (columnType === 1 && columnLength === 1) return 'tinyint(1)';
  return (flags & UNSIGNED) !== 0 && TYPES[columnType]?.[1] === 'int' && plain !== 'year' ? `${plain} unsigned` : plain;
}

function wireOf(column: string, nature: Nature, declared: DataType): Wire | undefined {
  switch (declared.kind) {
    case 'bool':
      if (nature === 'bit') return { sql: `(${column} + 0)`, form: 'bool' };
      // MySQL's BOOLEAN is a TINYINT.
      return nature === 'int' ? { sql: column, form: 'bool' } : undefined;
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
      return numberWire(column, nature);
    case 'string':
      if (nature === 'json') return { sql: `CONVERT(${column} USING utf8mb4)`, form: 'text' };
      return nature === 'text' ? { sql: column, form: 'text' } : undefined;
    case 'bytes':
      return nature === 'bytes' ? { sql: `HEX(${column})`, form: 'hex' } : undefined;
    case 'timestamp':
      return nature === 'time' ? { sql: column, form: 'timestamp' } : undefined;
    case 'vector':
    case 'list': {
      if (declared.kind === 'list' && !isJsonElement(declared.of)) return undefined;
      // MariaDB's JSON is a LONGTEXT.
      if (nature === 'text') return { sql: column, form: 'json' };
      return nature === 'json' ? { sql: `CONVERT(${column} USING utf8mb4)`, form: 'json' } : undefined;
    }
  }
}

function numberWire(column: string, nature: Nature): Wire | undefined {
  switch (nature) {
    case 'int':
      return { sql: column, form: 'int' };
    case 'bit':
      return { sql: `(${column} + 0)`, form: 'int' };
    case 'decimal':
      return { sql: column, form: 'decimal' };
    case 'float':
      // The text of a FLOAT has six digits; as a DOUBLE it has all.
      return { sql: `(${column} + 0e0)`, form: 'float64' };
    case 'double':
      return { sql: column, form: 'float64' };
    default:
      return undefined;
  }
}

function suggestedOf({ columnType, columnLength, flags }: MysqlField, nature: Nature): DataType | undefined {
  switch (nature) {
    case 'int':
      if (columnType === 1 && columnLength === 1) return { kind: 'bool' };
      // An INT UNSIGNED goes past an int32.
      return columnType === 8 || (columnType === 3 && (flags & UNSIGNED) !== 0) ? { kind: 'int64' } : { kind: 'int32' };
    case 'bit':
      return columnLength === 1 ? { kind: 'bool' } : { kind: 'int64' };
    case 'decimal':
    case 'double':
      return { kind: 'float64' };
    case 'float':
      return { kind: 'float32' };
    case 'text':
    case 'json':
      return { kind: 'string' };
    case 'bytes':
      return { kind: 'bytes' };
    case 'time':
      return { kind: 'timestamp' };
    case 'other':
      return undefined;
  }
}
