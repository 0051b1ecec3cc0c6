// What goes wrong with a database, in the few kinds that matter to whoever reads it.

/**
 * - `lost`: no connection, or one that ended: worth another try;
 * - `silent`: it says nothing;
 * - `refused`: the login, or what its URL asks for;
 * - `missing`: no such table;
 * - `failed`: what the database says of the query.
 */
export type TroubleKind = 'lost' | 'silent' | 'refused' | 'missing' | 'failed';

/** Its message is the database's or the driver's own: it may hold a secret until `redacted` has seen it. */
export class DatabaseTrouble extends Error {
  readonly kind: TroubleKind;

  constructor(kind: TroubleKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
