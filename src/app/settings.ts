// Every setting, in one table. Loading, the environment's names, the errors and docs/reference/configuration.md all come
// from it.

import type { ExecutorSpec } from '../definitions/index.ts';
import type { ProvidersByModel } from './parse-providers.ts';
import { DATA_SETTINGS } from './settings/data-settings.ts';
import { MONITORING_SETTINGS } from './settings/monitoring-settings.ts';
import { RETENTION_SETTINGS } from './settings/retention-settings.ts';
import { SCHEDULER_SETTINGS } from './settings/scheduler-settings.ts';
import { SERVER_SETTINGS } from './settings/server-settings.ts';

export const SETTINGS = [
  ...DATA_SETTINGS,
  ...MONITORING_SETTINGS,
  ...RETENTION_SETTINGS,
  ...SCHEDULER_SETTINGS,
  ...SERVER_SETTINGS,
] as const;

type Settings = (typeof SETTINGS)[number];
type ValueOf<S extends Settings> = S['kind'] extends 'integer' | 'ratio' | 'size' | 'duration'
  ? number
  : S['kind'] extends 'boolean'
    ? boolean
    : S['kind'] extends 'counts'
      ? Readonly<Record<string, number>>
      : S['kind'] extends 'executor'
        ? ExecutorSpec
        : S['kind'] extends 'providers'
          ? ProvidersByModel
          : string;
type Optional<S extends Settings> = S extends { default: unknown } | { required: true } ? never : undefined;

/** Every setting by its dotted key, checked: paths absolute, sizes in bytes, durations in microseconds. */
export type SettingValues = {
  readonly [S in Settings as S['key']]: ValueOf<S> | Optional<S>;
};
