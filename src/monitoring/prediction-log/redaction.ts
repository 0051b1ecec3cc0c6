// Which values are not logged: by the names that the configuration has, of columns or of an endpoint's columns.

import type { NamedSchema } from './arm-schema.ts';

export interface Redaction {
  /** Places of the schema's fields. */
  readonly places: readonly number[];
  /** Places of the unit's columns. */
  readonly unitPlaces: readonly number[];
}

/** The values that stick a row to its variant are named `unit`. */
const UNIT = 'unit';
const OUTCOME = 'outcome';

/** `names`: `column`, or `endpoint.column`. */
export function redactionOf({ schema, fields }: NamedSchema, names: readonly string[]): Redaction {
  const isRedacted = (column: string): boolean => isNamed(schema.endpoint, column, names);
  const isWholeUnit = isRedacted(UNIT);
  return {
    places: fields.flatMap(({ name }, place) => (isRedacted(name) ? [place] : [])),
    unitPlaces: schema.unitFields.flatMap((name, place) => (isWholeUnit || isRedacted(name) ? [place] : [])),
  };
}

/** Whether the values of an endpoint's outcomes are not logged. */
export const hidesOutcomes = (endpoint: string, names: readonly string[]): boolean => isNamed(endpoint, OUTCOME, names);

/** Whether those of a column of its unit are not. */
export const hidesUnits = (endpoint: string, column: string, names: readonly string[]): boolean =>
  isNamed(endpoint, column, names) || isNamed(endpoint, UNIT, names);

const isNamed = (endpoint: string, column: string, names: readonly string[]): boolean =>
  names.includes(column) || names.includes(`${endpoint}.${column}`);

export interface EndpointColumns {
  readonly endpoint: string;
  readonly columns: readonly string[];
}

/** All names that redact something of one of the endpoints. */
export function redactableNames(endpoints: readonly EndpointColumns[]): ReadonlySet<string> {
  const names = endpoints.flatMap(({ endpoint, columns }) =>
    [...columns, UNIT, OUTCOME].flatMap((column) => [column, `${endpoint}.${column}`]),
  );
  return new Set(names);
}

/** A list as it is configured: names with commas between them. */
export function parseRedaction(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
