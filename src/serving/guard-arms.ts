// The arms of an endpoint with their guards: each but the base, which stands in for those that fail.

import type { Series } from '../monitoring/index.ts';
import type { Arm } from './arm.ts';
import { type ArmGuard, guardArm } from './arm-guard.ts';
import type { HeldBreaker } from './breakers.ts';
import { standIn } from './compile-arms.ts';
import type { CompileEndpoint, ServedVariant } from './served-variants.ts';

export interface GuardedArms {
  /** In the order that they came in. */
  readonly arms: readonly Arm[];
  /** Probes that run. */
  probes(): number;
  /** Lets go of the breakers. */
  release(): void;
}

/**
 * `arms`: those of `served`, in its order; `base`: where among them the base is, −1 where it is not: then there is nothing to
 * stand in. `series`: by a route's place.
 */
export function guardArms(
  given: CompileEndpoint,
  served: readonly ServedVariant[],
  arms: readonly Arm[],
  { base, series }: { readonly base: number; readonly series: readonly Series[] },
): GuardedArms {
  const { state, model, monitor, minutes, breakers, requestTimeoutMs } = given;
  const held: HeldBreaker[] = [];
  let running = 0;
  const hold = (): (() => void) => {
    running++;
    return () => void running--;
  };
  const guarded = arms.map((arm, place): Arm => {
    if (base < 0 || place === base) return arm;
    const { id, name: variant, version } = arm;
    const of = { endpoint: state.name, variant, version, arm: id };
    const meter = monitor.arm({ ...of, model: model.name, features: [] });
    const { place: routed } = served[place] as ServedVariant;
    const breaker = breakers.hold(of, {
      broke() {
        meter.broke();
        minutes.tick();
        series[routed]?.breakerOpened();
      },
    });
    held.push(breaker);
    const stand = standIn(arms[base] as Arm, served[base] as ServedVariant, { name: variant });
    const standInFor = (guard: ArmGuard): Arm => ({ ...stand, brokenFor: guard });
    return { ...arm, guard: guardArm(arm, { breaker, standIn: standInFor, limitMs: requestTimeoutMs, hold }) };
  });
  return {
    arms: guarded,
    probes: () => running,
    release() {
      for (const breaker of held) breaker.release();
    },
  };
}
