// Sources that lie nowhere but in the push log.

import type { SourceSpec } from './manifest.ts';

/** Whether what was pushed is all there is: of such a source nothing is read but the log. */
export function isLogAlone({ kind }: Pick<SourceSpec, 'kind'>): boolean {
  return kind === 'pushed' || kind === 'kafka';
}
