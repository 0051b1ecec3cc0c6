// An endpoint as the registry has it, for people and as JSON.

import { type EndpointState, widthOf } from '../registry/index.ts';

export function presentEndpoint(endpoint: EndpointState): object {
  const { salt: _, change, ...told } = endpoint;
  const ended = change?.state === 'active' ? change.endsRollout : undefined;
  return {
    ...told,
    ...(ended === undefined ? {} : { endedRollout: ended }),
    change: change?.state === 'active' ? null : change,
  };
}

export function describeTraffic({ variants, shadows }: Pick<EndpointState, 'variants' | 'shadows'>): string {
  if (variants.length === 0) return 'no version yet';
  const split = variants.map(({ name, version, weight }) => `${name}=${version}:${weight}`).join(' ');
  const shadowed = shadows.map(({ version, percent }) => `${version}:${percent}`).join(' ');
  return shadowed === '' ? split : `${split}, shadowed by ${shadowed}`;
}

/** Who else has a say in who gets what. */
export function describeOwners({ rollout, experiments }: Pick<EndpointState, 'rollout' | 'experiments'>): string[] {
  return [
    ...(rollout === null ? [] : [`Rollout ${rollout} alone changes it`]),
    ...experiments.map(({ name, phase, arms }) => {
      const shares = arms.map((arm) => `${arm.name}=${arm.version}:${widthOf(arm.ranges) / 100}`);
      return `Experiment ${name}, phase ${phase}: ${shares.join(' ')}`;
    }),
  ];
}

/** Undefined where none is on its way or has failed. */
export function describeChange({ change }: Pick<EndpointState, 'change'>): string | undefined {
  if (change === null || change.state === 'active') return undefined;
  const { revision, failures } = change;
  const asked = describeTraffic(change);
  if (change.state === 'preparing') return `Revision ${revision} is being loaded: ${asked}`;
  const reasons = failures.map(({ server, reason }) => `\n  ${server}: ${reason}`).join('');
  return `Revision ${revision} could not be loaded: ${asked}${reasons}`;
}
