// What is known of a setting: its key, type, default and what it does.

/** `counts`: whole numbers of 1 and more by name, as an object or as `a=1,b=2`. `executor`: a word, or an object that names a cluster; in a variable that object's JSON. `providers`: execution providers in order, with commas or as a list, or of models by name as an object (`*`: those that it does not name); in a variable that object's JSON. `rules`: one value, as a number or a text, or a text of several; whoever uses them reads them. */
export type SettingKind =
  | 'text'
  | 'path'
  | 'url'
  | 'size'
  | 'duration'
  | 'integer'
  | 'ratio'
  | 'boolean'
  | 'choice'
  | 'cron'
  | 'timezone'
  | 'rules'
  | 'counts'
  | 'executor'
  | 'providers';

export interface Setting {
  /** As in headrace.config.ts: `online.url`. */
  readonly key: string;
  readonly kind: SettingKind;
  /** As the user would write it; undefined where it must be given or may stay away. */
  readonly default?: string | number | boolean;
  readonly required?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Schemes that a url may have. */
  readonly schemes?: readonly string[];
  /** Words of which a choice is one. */
  readonly choices?: readonly string[];
  /** Another variable that says the same, for settings that people know by one; its own name wins. */
  readonly alsoNamed?: string;
  readonly help: string;
}

/** The environment variable that overrides a setting: `online.url` is HEADRACE_ONLINE_URL. */
export function environmentName(key: string): string {
  return `HEADRACE_${key
    .replaceAll('.', '_')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
}

/** Every variable that sets it; of two that are set the first wins. */
export function variablesOf({ key, alsoNamed }: Setting): readonly string[] {
  return alsoNamed === undefined ? [environmentName(key)] : [environmentName(key), alsoNamed];
}
