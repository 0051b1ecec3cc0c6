// Broken rules in the program's log.

import { broken, type Finding } from '../../checks/index.ts';
import type { Logger } from '../../core/index.ts';

export function tellFindings(logger: Logger, findings: readonly Finding[]): void {
  for (const { of, rule, onFail, failed, found } of broken(findings)) {
    const what =
      onFail === 'quarantine' ? 'rows are set apart and count in no feature' : 'data break what is expected of them';
    logger.warn({ of, rule, onFail, failed, ...(found !== null && { found }) }, what);
  }
}
