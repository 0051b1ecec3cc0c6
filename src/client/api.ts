// What a client knows of a server: endpoints, services and sources by name, with their columns. `headrace types` writes it as a
// value; of a repository's own definitions it is a type alone (`ApiOf`).

/**
 * Columns by name. Each is a type as definitions write it: `int64`, `list(string)`, `vector(8)`. A `?` at its end: a row, or an
 * answer, may lack it. A `|` between two: it is one or the other, by the version that answers.
 */
export type ColumnTypes = Readonly<Record<string, string>>;

export interface EndpointApi {
  /** What a row to predict for carries. */
  readonly request: ColumnTypes;
  readonly outputs: ColumnTypes;
  /** What the model sees, by full feature name. */
  readonly features: ColumnTypes;
}

export interface ServiceApi {
  readonly request: ColumnTypes;
  /** By full feature name. */
  readonly features: ColumnTypes;
}

export interface SourceApi {
  /** Of a pushed row, without those that are derived. */
  readonly columns: ColumnTypes;
}

/** All that a client can be typed by. */
export interface Api {
  readonly endpoints: Readonly<Record<string, EndpointApi>>;
  readonly services: Readonly<Record<string, ServiceApi>>;
  readonly sources: Readonly<Record<string, SourceApi>>;
}

/** Names of a part of the API, as text. */
export type NameIn<Part> = keyof Part & string;
