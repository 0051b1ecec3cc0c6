// SQL of DuckDB's that makes values of a database's text: each becomes exactly what it was, or stops the read with an error
// that names column and value.

import { type DataType, typeName } from '../../../core/index.ts';
import { quoteText } from '../../../storage/index.ts';
import { duckType } from '../sql-text.ts';
import { fractionInText } from '../text-casts.ts';
import type { FoundColumn, TextForm } from './database.ts';
import { jsonListCheck } from './json-lists.ts';

/** Longer values are cut in messages. */
const SHOWN = 80;

/** The value of `text`, an expression that is null or has that form, as `type`. */
export function valueSql(
  text: string,
  form: TextForm,
  type: DataType,
  owner: string,
  column: Pick<FoundColumn, 'name' | 'type'>,
): string {
  const to = duckType(type);
  const cast = (expression: string, as = to): string => `TRY_CAST(${expression} AS ${as})`;
  const checked = (value: string, isGood = 'true', why = `it is no ${typeName(type)}`): string => {
    const start = `HR_SOURCE_UNREADABLE: ${owner}: column "${column.name}" (${column.type}) holds `;
    const end = `, and was declared ${typeName(type)}: ${why}.`;
    const told = `error(${quoteText(start)} || left(${text}, ${SHOWN}) || ${quoteText(end)})`;
    return `CASE WHEN ${text} IS NULL OR (${value} IS NOT NULL AND ${isGood}) THEN ${value} ELSE ${told} END`;
  };
  switch (form) {
    case 'text':
      return unescaped(text);
    case 'hex':
      return `unhex(${text})`;
    case 'bool':
      return checked(cast(text), `${text} IN ('t', 'f', 'true', 'false', '0', '1')`, 'it is neither true nor false');
    case 'json': {
      const json = cast(unescaped(text), 'JSON');
      return checked(cast(json), jsonListCheck(cast(json, 'JSON[]'), cast(json), type));
    }
    case 'timestamp':
      return checked(
        cast(text),
        `isfinite(${cast(text)})`,
        'it is no moment in time. Ask for it by a `query` that makes it null or leaves its rows out',
      );
    case 'float32':
      // Widened as it is: 0.1 of a float32 is not 0.1 of a float64.
      return type.kind === 'float32' || type.kind === 'float64'
        ? checked(cast(cast(text, 'FLOAT')))
        : whole(text, to, checked);
    case 'float64':
      return type.kind === 'float32' || type.kind === 'float64'
        ? checked(cast(cast(text, 'DOUBLE')))
        : whole(text, to, checked);
    case 'decimal':
      return type.kind === 'float32' || type.kind === 'float64' ? checked(cast(text)) : whole(text, to, checked);
    case 'int':
      return type.kind === 'float32' || type.kind === 'float64'
        ? checked(
            cast(text),
            `TRY_CAST(${cast(text)} AS HUGEINT) = ${cast(text, 'HUGEINT')}`,
            'it has too many digits for that',
          )
        : checked(cast(text));
  }
}

const whole = (text: string, to: string, checked: (value: string, isGood: string, why: string) => string): string =>
  checked(`TRY_CAST(${text} AS ${to})`, `NOT ${fractionInText(text)}`, 'it has a fraction, or is too great');

// A backslash that stands for itself is written twice: what lies between such pairs has only escapes.
function unescaped(text: string): string {
  const signs = [
    ['\\n', 10],
    ['\\r', 13],
    ['\\t', 9],
    ['\\b', 8],
    ['\\f', 12],
    ['\\v', 11],
  ] as const;
  const piece = signs.reduce((sql, [escape, code]) => `replace(${sql}, '${escape}', chr(${code}))`, 'piece');
  return (
    `CASE WHEN contains(${text}, '\\') ` +
    `THEN array_to_string(list_transform(string_split(${text}, '\\\\'), lambda piece: ${piece}), '\\') ELSE ${text} END`
  );
}
