// Where models run on this machine: as `models.providers` says, else as their definitions do.

import type { ProvidersOf } from '../serving/index.ts';
import type { SettingValues } from './settings.ts';

export function providersOf({ 'models.providers': chosen = {} }: Pick<SettingValues, 'models.providers'>): ProvidersOf {
  return (model, declared) => (Object.hasOwn(chosen, model) ? chosen[model] : chosen['*']) ?? declared;
}
