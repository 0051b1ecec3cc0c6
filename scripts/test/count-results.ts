// Counts a vitest JSON report: tests passed, failed and skipped; a suite that did not load is one failure.

export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedNames: readonly string[];
}

export function countResults(report: VitestReport | undefined): Counts {
  let passed = 0;
  let failed = 0;
  const skippedNames: string[] = [];
  for (const suite of report?.testResults ?? []) {
    if (suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed')) failed++;
    for (const test of suite.assertionResults) {
      if (test.status === 'passed') passed++;
      else if (test.status === 'failed') failed++;
      else skippedNames.push(test.fullName);
    }
  }
  return { passed, failed, skipped: skippedNames.length, skippedNames };
}
