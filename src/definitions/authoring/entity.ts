// Entities: what features are about, and the keys that name one.

import { type AboutOptions, AUTHORED, type AuthoredEntity, type AuthoredObject } from './authored.ts';
import type { Columns } from './column-type.ts';

/** A thing that has features: an airport, a route. `K` are its keys, by name, in the order of the encoded key. */
export interface Entity<K extends Columns = Columns> extends AuthoredObject<AuthoredEntity> {
  readonly name: string;
  readonly keys: K;
}

/**
 * Declares an entity.
 *
 * @example
 * const route = entity('route', { keys: { origin: t.string(), destination: t.string() } });
 */
export function entity<K extends Columns>(name: string, options: AboutOptions & { readonly keys: K }): Entity<K> {
  const { keys, ...about } = options;
  return { name, keys, [AUTHORED]: { kind: 'entity', name, keys, about } };
}
