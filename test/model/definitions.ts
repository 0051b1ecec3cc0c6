// What the histories push into: one source and one view of it, before and after an apply that gives the view another version.

import { type EncodedKey, encodeKey, MICROS_PER_HOUR } from '../../src/core/index.ts';
import {
  type Definitions,
  type LiveVersion,
  type ResolvedService,
  resolveService,
  type SourceSpec,
  versionsOf,
} from '../../src/definitions/index.ts';
import { createViewCodec, type ViewCodec } from '../../src/online/index.ts';
import { definitionsOf, eventManifest } from '../support/event-definitions.ts';

export type Mode = SourceSpec['pushes'];

/** A version of the view that is read and materialized. */
export interface ModelVersion {
  readonly codec: ViewCodec;
  readonly definitions: Definitions;
  readonly service: ResolvedService;
}

/** What is applied: the versions of it, the newest first. */
export interface Applied {
  readonly definitions: Definitions;
  readonly live: readonly LiveVersion[];
  readonly versions: readonly ModelVersion[];
}

export const NOW = 1_790_000_000_000_000;
export const KEYS = ['a', 'b', 'c'] as const;
export type Key = (typeof KEYS)[number];
export const SOURCE_NAME = 'events';

export const keyOf = (k: Key): EncodedKey => encodeKey([{ kind: 'string' }], [k]) as EncodedKey;

/** Sums of the same events, over windows that both have all of them. */
const WINDOW_HOURS = { old: 24, new: 48 };

function versionOf(pushes: Mode, windowHours: number): ModelVersion {
  const aggregation = {
    op: 'sum',
    column: 'n',
    windowMicros: windowHours * MICROS_PER_HOUR,
    hopMicros: MICROS_PER_HOUR,
  } as const;
  const features = [{ name: 'sum', type: { kind: 'int64' }, aggregation } as const];
  const definitions = definitionsOf(eventManifest({ created: null, ttlMicros: null, pushes, features }));
  const { manifest } = definitions;
  return { codec: createViewCodec(manifest, 'v'), definitions, service: resolveService(manifest, 'v') };
}

/** Before the apply, and after it. */
function bothOf(pushes: Mode): readonly [Applied, Applied] {
  const [before, after] = [versionOf(pushes, WINDOW_HOURS.old), versionOf(pushes, WINDOW_HOURS.new)];
  const [old, fresh] = [versionsOf(before.definitions), versionsOf(after.definitions)];
  return [
    { definitions: before.definitions, live: old, versions: [before] },
    {
      definitions: after.definitions,
      live: [...fresh, ...old.map((one) => ({ ...one, isCurrent: false }))],
      versions: [after, before],
    },
  ];
}

export const APPLIED: Readonly<Record<Mode, readonly [Applied, Applied]>> = {
  keep: bothOf('keep'),
  'until-materialized': bothOf('until-materialized'),
};
