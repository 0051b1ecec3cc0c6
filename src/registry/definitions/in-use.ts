// What the registry knows beyond the definitions, and a change could break or touch.

import type { Manifest } from '../../definitions/index.ts';
import type { ViewVersionRow } from '../versions/view-version-rows.ts';

export interface InUse {
  /** Versions that are not retired. */
  readonly models: readonly ModelInUse[];
  /** Those that give versions traffic. */
  readonly endpoints: readonly EndpointInUse[];
  readonly trainingSets: readonly TrainingSetInUse[];
  /** Every version of a view that is kept. */
  readonly kept: readonly ViewVersionRow[];
}

/** Something made of a service's features, as the definitions of then had them. */
export interface Pinned {
  readonly manifest: Manifest;
  readonly service: string;
}

export interface ModelInUse extends Pinned {
  readonly model: string;
  readonly version: number;
}

export interface EndpointInUse {
  readonly endpoint: string;
  readonly model: string;
  readonly versions: readonly number[];
}

export interface TrainingSetInUse extends Pinned {
  readonly id: string;
  readonly name: string | null;
}

export const NOTHING_IN_USE: InUse = { models: [], endpoints: [], trainingSets: [], kept: [] };
