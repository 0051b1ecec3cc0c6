// A step that does nothing, as a pipeline's spec has it.

import type { StepSpec } from '../../src/definitions/index.ts';

export function plainStep(name: string, more: Partial<StepSpec> = {}): StepSpec {
  return {
    name,
    action: { kind: 'shell', command: 'true' },
    needs: {},
    retry: 0,
    timeoutMicros: null,
    resources: {},
    ...more,
  };
}
