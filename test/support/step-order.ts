// An order of a step at the top of a pipeline, of nothing but its action.

import type { StepAction } from '../../src/definitions/index.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';

export function orderOf(action: StepAction, more: Partial<StepOrder> = {}): StepOrder {
  return {
    run: 'run-1',
    pipeline: 'p',
    step: 's',
    scope: '',
    action,
    params: {},
    items: {},
    needs: {},
    timeoutMs: null,
    resources: {},
    env: {},
    secrets: {},
    ...more,
  };
}
