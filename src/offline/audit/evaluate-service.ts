// A service's features of sampled rows, from their reads: on-demand views are run one row at a time.

import type { Field, Row, Value } from '../../core/index.ts';
import { compileTransform, type Definitions, functionOf, type Transform } from '../../definitions/index.ts';
import type { TrainingSetPlan } from '../plan.ts';

/** Per read of the plan: its values by feature index; a missing one is a row without a key or a time. */
export type RowReads = (ReadonlyMap<number, Value> | undefined)[];

export function evaluateService(
  plan: TrainingSetPlan,
  definitions: Definitions,
  requests: readonly Row[],
  reads: readonly RowReads[],
): Value[][] {
  const transforms = plan.transforms.map((transform): Transform => {
    const userFunction = functionOf(definitions, transform.view.transform);
    const fields = transform.inputs.map((input): [string, readonly Field[]] => [input.name, inputFields(plan, input)]);
    return compileTransform(transform.view, userFunction, Object.fromEntries(fields));
  });
  return requests.map((request, row) => {
    const own = reads[row] ?? [];
    const results: Value[][] = [];
    plan.transforms.forEach(({ inputs }, index) => {
      const given = inputs.map((input): [string, readonly Value[]] => {
        switch (input.kind) {
          case 'request':
            return [input.name, input.columns.map(({ name }) => request[name] ?? null)];
          case 'read':
            return [input.name, inputFields(plan, input).map((_, i) => own[input.read]?.get(i) ?? null)];
          case 'onDemand':
            return [input.name, results[input.transform] ?? []];
        }
      });
      results.push((transforms[index] as Transform)(Object.fromEntries(given)));
    });
    return plan.features.map(({ from }) =>
      from.kind === 'read'
        ? (own[from.read]?.get(from.feature) ?? null)
        : (results[from.transform]?.[from.feature] ?? null),
    );
  });
}

function inputFields(
  plan: TrainingSetPlan,
  input: TrainingSetPlan['transforms'][number]['inputs'][number],
): readonly Field[] {
  switch (input.kind) {
    case 'request':
      return input.columns;
    case 'read':
      return plan.reads[input.read]?.view.features ?? [];
    case 'onDemand':
      return plan.transforms[input.transform]?.view.features ?? [];
  }
}
