// Values of a query's answer as JSON says them everywhere here: whole numbers with all their digits, times as RFC 3339, and
// columns that hold JSON as what they hold.

import {
  DuckDBArrayType,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBArrayValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionType,
  DuckDBUnionValue,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { formatTimestamp, type Json, parseJson, timeOfMicros } from '../../core/index.ts';

/** `type`: the value's column's, or of what is in it. What has no form in JSON is DuckDB's text of it. */
export function answerJson(value: DuckDBValue, type: DuckDBType | undefined): Json {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return type?.alias === 'JSON' ? parseJson(value) : value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return timeText(value);
  if (value instanceof DuckDBDecimalValue) return decimal(value);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const of = type instanceof DuckDBListType || type instanceof DuckDBArrayType ? type.valueType : undefined;
    return value.items.map((item) => answerJson(item, of));
  }
  if (value instanceof DuckDBStructValue) {
    const of = (name: string) => (type instanceof DuckDBStructType ? type.typeForEntry(name) : undefined);
    return Object.fromEntries(Object.entries(value.entries).map(([name, one]) => [name, answerJson(one, of(name))]));
  }
  if (value instanceof DuckDBMapValue) {
    const [keyType, valueType] = type instanceof DuckDBMapType ? [type.keyType, type.valueType] : [];
    return value.entries.map((entry) => ({
      key: answerJson(entry.key, keyType),
      value: answerJson(entry.value, valueType),
    }));
  }
  if (value instanceof DuckDBUnionValue) {
    return answerJson(value.value, type instanceof DuckDBUnionType ? type.memberTypeForTag(value.tag) : undefined);
  }
  return value.toString();
}

// A timestamp without a zone is UTC's, as everywhere.
function timeText(value: DuckDBTimestampTZValue | DuckDBTimestampValue): string {
  const time = timeOfMicros(value.micros);
  if (time !== undefined) return formatTimestamp(time);
  return new DuckDBTimestampValue(value.micros).toString();
}

/** Digits that a double holds whatever they are. */
const SAFE_DIGITS = 15;

function decimal(value: DuckDBDecimalValue): number | string {
  const digits = value.value.toString().replace('-', '').length;
  return digits <= SAFE_DIGITS ? Number(value.toString()) : value.toString();
}
