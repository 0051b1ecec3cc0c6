// A shadow compiled: a version that gets copies of rows once they are answered. No request asks it, so it writes no answer; it is
// counted and logged as itself.

import { absentValueOf, type Field, HeadraceError, type Micros, type Scope, sameType } from '../../core/index.ts';
import { mayLack } from '../../definitions/index.ts';
import type { ArmLog, ShadowMeter } from '../../monitoring/index.ts';
import type { Shadow } from '../../registry/index.ts';
import type { ArmRow } from '../arm.ts';
import { inferRows } from '../arm-run.ts';
import { armId, compileRead, readsAlike } from '../compile-arms.ts';
import type { Stage } from '../deadlines.ts';
import type { FeaturePlan, FeatureRow } from '../feature-plan.ts';
import type { RequestRow } from '../row-parser.ts';
import type { ServedModel } from '../served-models.ts';
import type { CompileEndpoint } from '../served-variants.ts';

export interface ShadowArm {
  readonly version: number;
  /** Of the endpoint's rows, by their unit. */
  readonly percent: number;
  readonly features: FeaturePlan;
  readonly outputs: readonly Field[];
  /** Reads features as of `at`, then predicts; a promise, or at once. Throws HR_DEADLINE, HR_CANCELLED. */
  run(
    requests: readonly RequestRow[],
    scope: Scope,
    at: Micros,
    stage: Stage,
  ): Promise<readonly ArmRow[]> | readonly ArmRow[];
  /** The same with features that were read already. */
  infer(features: readonly FeatureRow[], scope: Scope): Promise<readonly ArmRow[]> | readonly ArmRow[];
  /** What a run of so many rows takes, by the model's own estimate. */
  runMicros(rows: number): number;
  /** What runs of its model took since it was loaded, whoever asked for them. */
  busyMicros(): number;
  readonly meter: ShadowMeter;
  readonly log: ArmLog;
}

/** As the log has it in place of a variant's name. */
const LOGGED_AS = 'shadow';

/**
 * `arms`: those of the variants, whose features are its own where they read alike. Throws HR_MODEL_SIGNATURE where it needs a
 * request column that no variant takes, or takes as another type: a shadow must not change what a request has to carry.
 */
export function compileShadow(
  { state, spec, model, planFeatures, monitor, predictionLog }: CompileEndpoint,
  { version, percent }: Shadow,
  own: ServedModel,
  arms: readonly { readonly features: FeaturePlan; readonly model: ServedModel }[],
  requestColumns: readonly Field[],
): ShadowArm {
  const { definitions, service, loaded } = own;
  const further = furtherColumns(service.requestColumns, requestColumns, version);
  const columns = [...requestColumns, ...further];
  const alike = arms.find((arm) => readsAlike(arm.model, own));
  const features = alike?.features ?? planFeatures(definitions, { ...service, requestColumns: columns });
  const read = compileRead(features, spec.whenStoreDown === 'defaults');
  const extend = extender(further);
  const log = predictionLog.arm({
    endpoint: state.name,
    variant: LOGGED_AS,
    model: model.name,
    version,
    arm: armId(own, version, spec.whenStoreDown),
    requestFields: requestColumns,
    featureFields: service.features,
    outputFields: own.spec.outputs,
    unitFields: spec.unit,
  });
  return {
    version,
    percent,
    features,
    outputs: own.spec.outputs,
    run(requests, scope, at, stage) {
      const rows = read(requests.map(extend), at);
      if (!(rows instanceof Promise)) return inferRows(own, rows, scope);
      return rows.then((answered) => {
        scope.check(stage.now, stage.rows);
        return inferRows(own, answered, scope);
      });
    },
    infer: (rows, scope) => inferRows(own, rows, scope),
    runMicros(rows) {
      const { fixedMicros, rowMicros } = loaded.cost;
      return fixedMicros + rowMicros * rows;
    },
    busyMicros: () => loaded.statistics().busyMicros,
    meter: monitor.shadow({ endpoint: state.name, version }),
    log,
  };
}

/** What the version takes beyond the columns of the rows: each may be left out, and is. */
function furtherColumns(own: readonly Field[], rows: readonly Field[], version: number): readonly Field[] {
  return own.filter((column) => {
    const known = rows.find(({ name }) => name === column.name);
    if (known !== undefined && sameType(known.type, column.type)) return false;
    if (known === undefined && mayLack(column)) return true;
    const why = known === undefined ? 'which no variant takes' : 'which the variants take as another type';
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `version ${version} can't shadow: it needs request column "${column.name}", ${why}, and a shadow changes nothing that requests carry. Give it traffic instead, or let the column be \`.optional()\`.`,
    );
  });
}

function extender(further: readonly Field[]): (row: RequestRow) => RequestRow {
  if (further.length === 0) return (row) => row;
  const absent = further.map((column) => absentValueOf(column) ?? (() => null));
  return (row) => [...row, ...absent.map((value) => value())];
}
