// From a message's bytes to a row as the push path takes it: JSON values by column name.

import type { SourceSpec } from '../../definitions/index.ts';

export type JsonRow = Readonly<Record<string, unknown>>;

/** Makes the row of a message's value. Throws an Undecodable where it is none: any other error is no fault of the message. */
export type Decode = (value: Uint8Array) => JsonRow | Promise<JsonRow>;

/** Why a message is no row, for whoever looks at its dead letter. */
export class Undecodable extends Error {
  override readonly name = 'Undecodable';
}

/** What a schema's values become, by column of the source. */
export type ColumnsOf = Pick<SourceSpec, 'columns' | 'name'>;
