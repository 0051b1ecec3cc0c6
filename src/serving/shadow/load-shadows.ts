// The shadow versions of an endpoint with their models, compiled; and the sinks by which arms tell them what was answered.

import { type Field, type HeadraceError, toHeadraceError } from '../../core/index.ts';
import { isShadowed, type Routes } from '../../rollouts/index.ts';
import type { Shadow } from '../../registry/index.ts';
import type { Arm, ArmSink } from '../arm.ts';
import type { RequestRow } from '../row-parser.ts';
import type { ServedModel } from '../served-models.ts';
import type { CompileEndpoint } from '../served-variants.ts';
import { compileComparison } from './compare-outputs.ts';
import type { OpenShadow, Pairing } from './open-shadows.ts';
import { compileShadow, type ShadowArm } from './shadow-arm.ts';

export interface PlanShadows {
  readonly arms: readonly ShadowArm[];
  /** Theirs, in the same order. */
  readonly models: readonly ServedModel[];
  /** Why one is not there; undefined where all are. */
  readonly lacking: HeadraceError | undefined;
  /** What the arm's batches go to. */
  sinksOf(arm: Arm, routes: Pick<Routes, 'unitOf'>): readonly ArmSink[];
  /** Resolves once none of them runs; then their models are given back. */
  retire(): Promise<void>;
}

/**
 * Loads the shadows of the endpoint's traffic. `mayLack`: those that can be had are better than nothing. Throws what loading
 * throws, and HR_MODEL_SIGNATURE, with nothing left loaded.
 */
export async function loadShadows(
  given: CompileEndpoint,
  arms: readonly Arm[],
  requestColumns: readonly Field[],
  mayLack: boolean,
): Promise<PlanShadows> {
  const { state, model, models, isReadable, monitor, shadows } = given;
  const held: ServedModel[] = [];
  const compiled: { readonly arm: ShadowArm; readonly model: ServedModel }[] = [];
  const lacking: (Shadow & { readonly error: HeadraceError })[] = [];
  const answering = arms.map((arm) => ({ features: arm.features, model: arm.graph.model }));
  for (const shadow of state.shadows) {
    try {
      const own = await models.acquire(model, shadow.version, isReadable);
      held.push(own);
      compiled.push({ arm: compileShadow(given, shadow, own, answering, requestColumns), model: own });
    } catch (thrown) {
      lacking.push({ ...shadow, error: toHeadraceError(thrown) });
      if (!mayLack) break;
    }
  }
  const [first] = lacking;
  if (first !== undefined && !mayLack) {
    for (const own of held) own.release();
    throw first.error;
  }
  const open = compiled.map(({ arm }): readonly [ShadowArm, OpenShadow] => [arm, shadows.open(arm)]);
  const missed = lacking.map((shadow) => ({
    shadow,
    meter: monitor.shadow({ endpoint: state.name, version: shadow.version }),
  }));
  return {
    arms: compiled.map(({ arm }) => arm),
    models: compiled.map((one) => one.model),
    lacking: first?.error,
    sinksOf: ({ features, graph }, routes) => [
      ...open.map(([arm, shadow]) => {
        const pairing = {
          picks: picksOf(state.salt, arm, routes),
          sharesFeatures: features === arm.features,
          compare: compileComparison(graph.model.spec.outputs, arm.outputs),
        };
        return onAnswered((batch) => shadow.note(batch, pairing));
      }),
      ...missed.map(({ shadow, meter }) => {
        const picks = picksOf(state.salt, shadow, routes);
        return onAnswered(({ rows, requests, scope }) => {
          const count = rows.filter(
            ({ error }, at) => error === undefined && picks(requests[at] as RequestRow, scope.requestId),
          ).length;
          if (count > 0) meter.dropped('unloaded', count);
        });
      }),
    ],
    async retire() {
      await Promise.all(open.map(([, shadow]) => shadow.retire()));
      for (const own of held) own.release();
    },
  };
}

/** Whether a row is of the shadow's share: by its unit, or by its request where it has none. */
function picksOf(salt: string, { version, percent }: Shadow, { unitOf }: Pick<Routes, 'unitOf'>): Pairing['picks'] {
  return (row, requestId) => {
    const unit = unitOf(row, requestId);
    return isShadowed(salt, version, percent, unit === '' ? requestId : unit);
  };
}

const onAnswered =
  (sink: ArmSink): ArmSink =>
  (batch) => {
    if (batch.isAnswered) sink(batch);
  };
