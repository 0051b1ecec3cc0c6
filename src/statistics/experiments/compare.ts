// Two arms compared: the difference and the relative lift, each with the interval of one look and that of any number.

import { msprt, msprtP, sequentialTau } from '../always-valid/msprt.ts';
import { studentTQuantile, studentTTwoSidedP } from '../special/student-t.ts';
import type { ArmEstimate } from './arm-estimate.ts';

export interface Comparison {
  readonly estimate: number;
  readonly se: number;
  /** Degrees of freedom of the fixed interval and its p. */
  readonly df: number;
  /** Units of both arms. */
  readonly n: number;
}

export interface FixedHorizon {
  readonly p: number;
  readonly lo: number;
  readonly hi: number;
}

/** treatment − control, with the degrees of freedom of Welch (1947). */
export function welch(control: ArmEstimate, treatment: ArmEstimate): Comparison {
  return {
    estimate: treatment.estimate - control.estimate,
    se: Math.sqrt(control.variance + treatment.variance),
    df: degreesOfFreedom(control, treatment),
    n: control.n + treatment.n,
  };
}

/**
 * (treatment − control) / control by the delta method: variance V_t/m_c² + V_c·m_t²/m_c⁴. Undefined where the control's
 * estimate is 0: nothing is a share of it.
 */
export function relativeLift(control: ArmEstimate, treatment: ArmEstimate): Comparison | undefined {
  const base = control.estimate;
  if (base === 0) return undefined;
  const variance = treatment.variance / base ** 2 + (control.variance * treatment.estimate ** 2) / base ** 4;
  return {
    estimate: (treatment.estimate - base) / Math.abs(base),
    se: Math.sqrt(variance),
    df: degreesOfFreedom(control, treatment),
    n: control.n + treatment.n,
  };
}

/** Valid for one look at a time that was fixed before. */
export function fixedHorizon({ estimate, se, df }: Comparison, alpha: number): FixedHorizon {
  const half = se === 0 ? 0 : se * studentTQuantile(alpha, df);
  const p = se === 0 ? Number(estimate === 0) : studentTTwoSidedP(estimate / se, df);
  return { p, lo: estimate - half, hi: estimate + half };
}

/**
 * Valid at every look, narrowest where the arms have `units` units together (GrowthBook's sequential tuning, by default 5,000),
 * or where `tau` is given, where the error is near that.
 */
export function alwaysValid(
  { estimate, se, n }: Comparison,
  alpha: number,
  tuning: { readonly units: number } | { readonly tau: number } = { units: 5_000 },
): FixedHorizon {
  const tau = 'tau' in tuning ? tuning.tau : sequentialTau({ se, n, alpha, units: tuning.units });
  const { lo, hi } = msprt({ difference: estimate, se, tau, alpha });
  return { p: msprtP({ difference: estimate, se, tau }), lo, hi };
}

function degreesOfFreedom(a: ArmEstimate, b: ArmEstimate): number {
  const whole = (a.variance + b.variance) ** 2;
  // Where nothing varies nothing is estimated of it.
  if (whole === 0) return Math.max(1, a.n + b.n - 2);
  return whole / (a.variance ** 2 / (a.n - 1) + b.variance ** 2 / (b.n - 1));
}
