// What a version's facts are read with: its own definitions. The log may hold rows that others took and that its functions
// can't; there the column is null, as it is online, and the program's log tells. So it is of files where the version is kept,
// as they go by other definitions. But for a version that is being filled: nobody reads it yet, and it must not come to be
// complete with values that nobody was told of.

import { type Logger, messageOf } from '../../core/index.ts';
import type { OnFailedValue } from '../../definitions/index.ts';
import type { FactsDeps, Forgiving } from '../facts/facts.ts';
import type { RunRequest } from './run-request.ts';

export function versionFacts<Deps extends FactsDeps & { readonly logger: Logger }>(
  deps: Deps,
  { live: { version, definitions, isCurrent }, isDue }: Pick<RunRequest, 'live' | 'isDue'>,
): Deps {
  if (isDue) return { ...deps, definitions };
  const forgiving: Forgiving = { rows: isCurrent ? 'log' : 'all', onFailedValue: tellOnce(deps.logger, version) };
  return { ...deps, definitions, forgiving };
}

function tellOnce(logger: Logger, version: string): OnFailedValue {
  const told = new Set<string>();
  return (column, error) => {
    if (told.has(column)) return;
    told.add(column);
    const fields = { version, column, reason: messageOf(error) };
    logger.warn(fields, 'values could not be derived: they are null in this version');
  };
}
