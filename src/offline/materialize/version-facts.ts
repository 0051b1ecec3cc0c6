// What a version's facts are read with: its own definitions. Rows that were taken by others may be none that its functions
// can take; there the column is null, as it is online, and the log tells.

import { type Logger, messageOf } from '../../core/index.ts';
import type { LiveVersion, OnFailedValue } from '../../definitions/index.ts';
import type { FactsDeps } from '../facts/facts.ts';

export function versionFacts<Deps extends FactsDeps & { readonly logger: Logger }>(
  deps: Deps,
  { version, definitions, isCurrent }: LiveVersion,
): Deps {
  if (isCurrent) return { ...deps, definitions };
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
