// Which part of the log a question is about, and what is read of it.

import type { Micros } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';

/** Predictions from `from` on and before `to`, by the time they were made at, of one endpoint or of all. */
export interface LogRange {
  readonly from?: Micros;
  readonly to?: Micros;
  readonly endpoint?: string;
}

/** Predictions of one schema, with the structs' own types; of the time that is asked for and somewhat around it. */
export interface TypedPart {
  readonly named: NamedSchema;
  /** A relation for FROM. */
  readonly sql: string;
}
