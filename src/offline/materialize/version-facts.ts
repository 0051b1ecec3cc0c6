// What a version's facts are read with: its own definitions. Rows that were taken by others may be none that its functions
// can take; there the column is null, as it is online, and the log tells. Not while it is being filled: nobody reads it yet,
// and it must not become complete with values that nobody was told of.

import { type Logger, messageOf } from '../../core/index.ts';
import type { OnFailedValue } from '../../definitions/index.ts';
import type { FactsDeps } from '../facts/facts.ts';
import type { RunRequest } from './view-run.ts';

export function versionFacts<Deps extends FactsDeps & { readonly logger: Logger }>(
  deps: Deps,
  { live: { version, definitions, isCurrent }, isDue }: Pick<RunRequest, 'live' | 'isDue'>,
): Deps {
  if (isCurrent || isDue) return { ...deps, definitions };
  return { ...deps, definitions, onFailedValue: tellOnce(deps.logger, version) };
}

function tellOnce(logger: Logger, version: string): OnFailedValue {
  const told = new Set<string>();
  return (column, error) => {
    if (told.has(column)) return;
    told.add(column);
    const fields = { version, column, reason: messageOf(error) };
    logger.warn(fields, 'values could not be derived for a version that is kept: they are null there');
  };
}
