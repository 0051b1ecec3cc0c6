// Rules that were broken, as lines under what a command tells.

import { broken, describeFinding, type Finding } from '../checks/index.ts';

/** Each begins with a line break; nothing where all is as expected. One rule that several views met is told once. */
export function describeChecks(findings: readonly Finding[]): string {
  const lines = broken(findings).map((one) => {
    const what =
      one.onFail === 'quarantine' ? `${one.failed} set apart, which count in no feature` : describeFinding(one);
    return `\n${one.onFail === 'quarantine' ? 'quarantine' : 'warning'}: ${one.of}: ${one.rule}: ${what}.`;
  });
  return [...new Set(lines)].join('');
}
