// Entities: what features are about, and the keys that name one.

import { ABOUT_OPTIONS, type AboutOptions, type AuthoredEntity, type AuthoredObject } from './authored.ts';
import { AUTHORED } from './authored-mark.ts';
import { noteCall, type OptionNames, optionsOf } from './call.ts';
import type { Columns } from './column-type.ts';

/** A thing that has features: an airport, a route. `K` are its keys, by name, in the order of the encoded key. */
export interface Entity<K extends Columns = Columns> extends AuthoredObject<AuthoredEntity> {
  readonly name: string;
  readonly keys: K;
}

export interface EntityOptions<K extends Columns> extends AboutOptions {
  readonly keys: K;
  /** What it was called until now: it keeps what is stored under that name. */
  readonly renamedFrom?: string;
}

const OPTIONS: OptionNames<EntityOptions<Columns>> = { ...ABOUT_OPTIONS, keys: true, renamedFrom: true };

/**
 * Declares an entity.
 *
 * @example
 * const route = entity('route', { keys: { origin: t.string(), destination: t.string() } });
 */
export function entity<K extends Columns>(name: string, options: EntityOptions<K>): Entity<K> {
  const call = noteCall(options, OPTIONS);
  const { keys, renamedFrom, ...about } = optionsOf(options);
  return { name, keys, [AUTHORED]: { kind: 'entity', name, call, keys, renamedFrom, about } };
}
