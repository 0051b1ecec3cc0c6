// headrace.config.ts and the environment → the settings that the code trusts. Only `app` reads the environment.

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, didYouMean, type ErrorDetail, HeadraceError, messageOf } from '../core/index.ts';
import { importModule, projectMistake } from '../definitions/index.ts';
import { describeSetting, parseSetting } from './parse-setting.ts';
import { NO_TOPIC } from './settings/data-settings.ts';
import { environmentName, type Setting, variablesOf } from './settings/setting.ts';
import { SETTINGS, type SettingValues } from './settings.ts';

export interface Config {
  /** The configuration file; its folder is where relative paths start. */
  readonly file: string;
  readonly directory: string;
  readonly values: SettingValues;
}

export const CONFIG_FILE = 'headrace.config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Loads the configuration: `path` when given, else headrace.config.ts in `workingDirectory` or the nearest parent. Where there is
 * none, what works elsewhere than in a project goes by the environment alone, as long as that has the settings of `places`.
 * Throws HR_CONFIG with every mistake at once.
 */
export async function loadConfig(
  path: string | undefined,
  workingDirectory: string,
  environment: Environment,
  places?: readonly string[],
): Promise<Config> {
  const file = path === undefined ? findConfig(workingDirectory) : resolve(workingDirectory, path);
  if (file === undefined) {
    const missing = (places ?? []).map(environmentName).filter((name) => (environment[name] ?? '') === '');
    if (places !== undefined && missing.length === 0)
      return checkConfig({ project: 'elsewhere' }, join(resolve(workingDirectory), CONFIG_FILE), environment);
    const also =
      places === undefined ? '' : `, and ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not set`;
    const how = places === undefined ? '' : ', set what is missing';
    throw new HeadraceError(
      'HR_CONFIG',
      `found no ${CONFIG_FILE} in ${workingDirectory} or its parents${also}. Give one with --config${how}, or make a project with \`headrace init DIR\`.`,
    );
  }
  if (!existsSync(file)) {
    throw new HeadraceError(
      'HR_CONFIG',
      `there is no configuration file ${file}. Check --config, or make one with \`headrace init\`.`,
    );
  }
  return checkConfig(await importConfig(file), file, environment);
}

async function importConfig(file: string): Promise<unknown> {
  try {
    return (await importModule(file))['default'];
  } catch (thrown) {
    const message = messageOf(thrown);
    throw new HeadraceError('HR_CONFIG', `${file} cannot be loaded: ${message}`, { cause: thrown });
  }
}

function findConfig(workingDirectory: string): string | undefined {
  for (let directory = resolve(workingDirectory); ; directory = dirname(directory)) {
    const file = join(directory, CONFIG_FILE);
    if (existsSync(file)) return file;
    if (dirname(directory) === directory) return undefined;
  }
}

/** Checks what the file exports, with the environment's overrides. Throws HR_CONFIG with every mistake at once. */
export function checkConfig(written: unknown, file: string, environment: Environment): Config {
  if (written === null || typeof written !== 'object' || Array.isArray(written)) {
    throw new HeadraceError('HR_CONFIG', `${file} must \`export default defineConfig({ … })\`.`);
  }
  const directory = dirname(file);
  const mistakes: ErrorDetail[] = [];
  const flat = flatten(written, mistakes);
  const values: Record<string, unknown> = {};
  for (const setting of SETTINGS as readonly Setting[]) {
    const name = variablesOf(setting).find((variable) => (environment[variable] ?? '') !== '');
    const override = name === undefined ? undefined : environment[name];
    const isOverridden = override !== undefined;
    const raw = isOverridden ? override : (flat.get(setting.key) ?? setting.default);
    if (raw === undefined) {
      if (setting.required === true) mistakes.push({ path: setting.key, message: 'is missing' });
      continue;
    }
    const parsed = parseSetting(setting, raw, directory);
    if ('value' in parsed) values[setting.key] = parsed.value;
    else {
      const where = isOverridden ? `${name} (${setting.key})` : setting.key;
      mistakes.push({ path: where, message: `expected ${parsed.expected}, got ${describeSetting(setting, raw)}` });
    }
  }
  const badName = values['project'] === undefined ? undefined : projectMistake(values['project']);
  if (badName !== undefined) mistakes.push({ path: 'project', message: badName });
  const [bodyLimit, mostBytes] = [values['server.bodyLimit'], values['server.maxInFlightBytes']];
  // A body that no room is ever large enough for would be asked to come again for ever.
  if (typeof bodyLimit === 'number' && typeof mostBytes === 'number' && mostBytes < bodyLimit) {
    const message = `expected at least server.bodyLimit, ${bodyLimit} bytes, got ${mostBytes}`;
    mistakes.push({ path: 'server.maxInFlightBytes', message });
  }
  for (const [key, instead] of Object.entries(GONE))
    if ((environment[environmentName(key)] ?? '') !== '')
      mistakes.push({ path: `${environmentName(key)} (${key})`, message: `is no setting any more. ${instead}` });
  mistakes.push(...topicMistakes(values['pushLog.topic'], values['pushLog.brokers']));
  const [first] = mistakes;
  if (first !== undefined) {
    const more = mistakes.length > 1 ? ` (and ${mistakes.length - 1} more)` : '';
    throw new HeadraceError('HR_CONFIG', `${file}: ${first.path} ${first.message}${more}`, { details: mistakes });
  }
  // Every setting of the table was parsed above by its own kind.
  return { file, directory, values: values as unknown as SettingValues };
}

const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

/** A login is in a variable, never in a file that is shared. */
function topicMistakes(topic: unknown, brokers: unknown): ErrorDetail[] {
  if (topic === NO_TOPIC || typeof topic !== 'string') return [];
  if (!TOPIC_NAME.test(topic))
    return [
      { path: 'pushLog.topic', message: `expected a topic’s name (letters, digits, . _ -), got ${describe(topic)}` },
    ];
  if (typeof brokers === 'string' && /^env:[A-Za-z_][A-Za-z0-9_]*$/.test(brokers)) return [];
  const got = brokers === undefined ? 'nothing' : 'a text that is none';
  return [
    {
      path: 'pushLog.brokers',
      message: `expected "env:NAME", the variable that holds the brokers’ address, got ${got}`,
    },
  ];
}

const KEYS = SETTINGS.map((setting) => setting.key as string);

/** What was a setting, and what says it now: left out in silence it would keep, or remove, what nobody meant. */
const GONE: Readonly<Record<string, string>> = {
  'retention.predictionLog': 'Write predictionLog.keep, which is the servers’ and gc’s alike',
};

/** The names at one level: `server`, then `tls` and `port`. */
function namesUnder(prefix: string): string[] {
  const keys = KEYS.filter((key) => key.startsWith(prefix));
  return [...new Set(keys.map((key) => key.slice(prefix.length).split('.')[0] as string))];
}

function flatten(written: object, mistakes: ErrorDetail[], prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  const known = namesUnder(prefix);
  for (const [name, value] of Object.entries(written)) {
    const key = `${prefix}${name}`;
    if (value === undefined) continue;
    const instead = Object.hasOwn(GONE, key) ? GONE[key] : undefined;
    if (instead !== undefined) mistakes.push({ path: key, message: `is no setting any more. ${instead}` });
    else if (!known.includes(name))
      mistakes.push({ path: key, message: `is not a known key.${didYouMean(name, known)}` });
    else if (KEYS.includes(key)) flat.set(key, value);
    else if (value === null || typeof value !== 'object' || Array.isArray(value))
      mistakes.push({ path: key, message: 'expected an object' });
    else for (const [inner, innerValue] of flatten(value, mistakes, `${key}.`)) flat.set(inner, innerValue);
  }
  return flat;
}

/** Variables that look like overrides but name no setting; likely slips, told by `doctor`. */
export function unknownVariables(environment: Environment): string[] {
  const known = new Set((SETTINGS as readonly Setting[]).flatMap(variablesOf));
  return Object.keys(environment).filter((name) => name.startsWith('HEADRACE_') && !known.has(name));
}
