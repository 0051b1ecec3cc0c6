// Values → JSON text, by closures made once per service: keys are written out beforehand, values by their type.

import {
  type DataType,
  type Field,
  formatTimestamp,
  type Int64Form,
  stringifyJson,
  toJson,
  type Value,
} from '../core/index.ts';

export type WriteValue = (value: Value) => string;

/** One value of a type as JSON text; the same text that `stringifyJson(toJson(type, value, int64))` gives. */
export function compileValueWriter(type: DataType, int64: Int64Form = 'number'): WriteValue {
  switch (type.kind) {
    case 'bool':
      return (value) => (value === null ? 'null' : value === true ? 'true' : 'false');
    case 'int64':
      if (int64 === 'text') return (value) => (value === null ? 'null' : `"${String(value)}"`);
      return (value) => (value === null ? 'null' : String(value));
    case 'int32':
      return (value) => (value === null ? 'null' : String(value));
    case 'float32':
    case 'float64':
      return (value) => (value === null ? 'null' : Number.isFinite(value) ? String(value) : `"${String(value)}"`);
    case 'string':
      return (value) => (value === null ? 'null' : JSON.stringify(value));
    case 'timestamp':
      return (value) => (value === null ? 'null' : `"${formatTimestamp(value as number)}"`);
    default:
      return (value) => stringifyJson(toJson(type, value, int64));
  }
}

/** Values by position → `{"name":value,…}`. */
export function compileObjectWriter(
  fields: readonly Field[],
  int64: Int64Form = 'number',
): (values: readonly Value[]) => string {
  const keys = fields.map((field, at) => `${at === 0 ? '{' : ','}${JSON.stringify(field.name)}:`);
  const writers = fields.map((field) => compileValueWriter(field.type, int64));
  const size = fields.length;
  if (size === 0) return () => '{}';
  return (values) => {
    let text = '';
    for (let i = 0; i < size; i++) text += (keys[i] as string) + (writers[i] as WriteValue)(values[i] ?? null);
    return `${text}}`;
  };
}

/** Texts that need no escape, by position → `{"name":"text",…}`; a null is null. */
export function compilePlainTextWriter(names: readonly string[]): (texts: readonly (string | null)[]) => string {
  const keys = names.map((name, at) => `${at === 0 ? '{' : ','}${JSON.stringify(name)}:`);
  const size = names.length;
  if (size === 0) return () => '{}';
  return (texts) => {
    let text = '';
    for (let i = 0; i < size; i++) {
      const one = texts[i] ?? null;
      text += (keys[i] as string) + (one === null ? 'null' : `"${one}"`);
    }
    return `${text}}`;
  };
}
