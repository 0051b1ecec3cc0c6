// Specs as people may see them. Registries of before connections had to be `env:NAME` hold URLs with passwords.

import { withoutPassword } from '../../storage/index.ts';

/** The spec; a source's connection that is no name of a variable shows no password. */
export function shownSpec(spec: unknown): unknown {
  if (spec === null || typeof spec !== 'object' || !('location' in spec)) return spec;
  const { location } = spec;
  if (location === null || typeof location !== 'object' || !('connection' in location)) return spec;
  return { ...spec, location: { ...location, connection: shownConnection(location.connection) } };
}

/** A connection likewise. */
export function shownConnection(connection: unknown): unknown {
  return typeof connection !== 'string' || connection.startsWith('env:') ? connection : withoutPassword(connection);
}
