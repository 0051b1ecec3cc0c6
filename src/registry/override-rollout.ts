// What a change of traffic does to the rollout that has the endpoint: whoever overrides it changes what is beside its split, moves
// its weights, or ends it, and then its candidate is left no traffic that nobody guards.

import { HeadraceError, invalid } from '../core/index.ts';
import { baseOf } from './bucket-ranges.ts';
import type { Arm, EndpointState, TrafficOwner } from './endpoint-rows.ts';
import { layOut, type ResolvedTraffic, type Variant } from './traffic.ts';

/** Whether it is an override of a rollout that is under way. Throws HR_ROLLOUT_UNDERWAY, HR_INVALID. */
export function checkOwner(
  { name, rollout: owner }: Pick<EndpointState, 'name' | 'rollout'>,
  asked: {
    readonly rollout: TrafficOwner | null | undefined;
    readonly override: boolean;
    readonly reason: string | undefined;
  },
): boolean {
  const { rollout, override, reason } = asked;
  if (override && reason === undefined)
    throw invalid([{ path: 'override', message: 'expected a reason with it (X-Reason, or --reason), got none' }]);
  if (owner === null || rollout === null || rollout?.id === owner) return false;
  if (override) return true;
  const sentence = `rollout "${owner}" of endpoint "${name}" is under way, and alone changes its traffic, paused too. Abort it (headrace rollout abort ${name}), or change the traffic all the same: --override, in PUT "override":true, with a reason.`;
  throw new HeadraceError('HR_ROLLOUT_UNDERWAY', sentence);
}

/**
 * The traffic that an override comes to. The rollout goes on where its base stays the base, no other version has a part of the
 * split, and its candidate has some of it, before its first step too, or all variants stay as they are: experiments and shadows are
 * not its. Else
 * `endsRollout` is its id, and what was asked for its candidate, under whatever name, goes to the base that was asked for. A candidate
 * that is asked for as the base keeps what it has: so somebody promotes it by hand.
 */
export function overrideRollout(
  before: Pick<EndpointState, 'variants' | 'rollout' | 'candidate'>,
  asked: ResolvedTraffic,
): ResolvedTraffic & { readonly endsRollout?: string } {
  const { variants, rollout, candidate } = before;
  const base = variants[baseOf(variants)];
  // Of a rollout that an earlier build began nothing tells it: no other version than the base is sure to be another's.
  const isCandidate = ({ version }: Variant): boolean =>
    candidate === null ? version !== base?.version : version === candidate.version;
  const askedBase = asked.variants[baseOf(asked.variants)];
  const isSplit =
    askedBase !== undefined &&
    base !== undefined &&
    isSameArm(askedBase, base) &&
    asked.variants.every((one) => isSameArm(one, base) || (candidate !== null && isSameArm(one, candidate)));
  const keepsSome = asked.variants.some((one) => one.weight > 0 && isCandidate(one));
  if (rollout === null || (isSplit && (keepsSome || isUnchanged(asked.variants, variants)))) return asked;
  const kept = asked.variants.filter((one) => one === askedBase || !isCandidate(one));
  if (kept.length === asked.variants.length) return { ...asked, endsRollout: rollout };
  const others = kept.reduce((sum, one) => sum + (one === askedBase ? 0 : Math.round(100 * one.weight)), 0);
  const laidOut = layOut(
    asked.variants,
    kept.map((one) => (one === askedBase ? { ...one, weight: (10_000 - others) / 100 } : one)),
  );
  return { ...asked, variants: laidOut, endsRollout: rollout };
}

function isSameArm(one: Arm, other: Arm): boolean {
  return one.name === other.name && one.version === other.version;
}

function isUnchanged(asked: readonly Variant[], before: readonly Variant[]): boolean {
  return (
    asked.length === before.length &&
    asked.every((one) =>
      before.some((other) => isSameArm(one, other) && JSON.stringify(one.ranges) === JSON.stringify(other.ranges)),
    )
  );
}
