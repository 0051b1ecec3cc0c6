// `headrace dev`: on each save the feature repository is checked, applied to a local store and computed, and one key's
// features are shown before and after.

import { join } from 'node:path';
import type { Config } from '../app/index.ts';
import { messageOf, parseJson, silentProgress } from '../core/index.ts';
import { type CommandContext, type CommandOptions, defineCommand, textOption, usageError } from './command.ts';
import { describeRound, presentRound, type RoundGiven } from './dev/describe-round.ts';
import { type LocalApp, runRound } from './dev/dev-round.ts';
import { chooseStores, type DevStores } from './dev/dev-stores.ts';
import { watchFiles } from './dev/file-watch.ts';
import type { SampleRow } from './dev/sample-values.ts';

/** Editors write a file in a few steps. */
const QUIET_MS = 100;
/** A round that is under way may finish when it is told to stop; it is safe to end it, too. */
const ROUND_LIMIT_MS = 3000;

export const devCommand = defineCommand({
  usage: 'dev',
  summary: 'on each save: check, plan, apply to a local store, and show a key’s features before and after',
  example: `headrace dev\nheadrace dev --service basket_features --key '{"customer":"ada","amount":160,"discount":0.3}'\nheadrace dev --once --json`,
  options: (command) =>
    command
      .option(
        '--key <json>',
        'the key to show, with the request’s other columns; the first that is found when left out',
      )
      .option('--service <name>', 'the feature service to show; those that a change touches when left out')
      .option('--yes', 'apply what would break what reads the features, to the project’s own registry too')
      .option('--once', 'one round, then end: exit code 1 where it was not applied'),
  async run(context, _args, options) {
    const session = await startSession(context, options);
    const present = (given: RoundGiven) => ({
      json: presentRound(given),
      text: describeRound(given, context.paint('stdout')),
    });
    if (options['once'] === true) {
      const given = await session.round([]);
      const isDone = given.round.state === 'applied' || given.round.state === 'unchanged';
      return { ...present(given), exitCode: isDone ? 0 : 1 };
    }
    const { config } = session;
    const watch = await watchFiles({
      folders: [config.values.repo],
      files: ['headrace.config.ts', 'tsconfig.json', 'tsconfig.headrace.json']
        .map((name) => join(config.directory, name))
        .concat(config.file),
      isIgnored: (name, folder) => IGNORED.test(name) || (name === 'data' && folder === config.values.repo),
      quietMs: QUIET_MS,
    });
    const { stopSignal } = await import('../app/index.ts');
    void stopSignal().then(() => {
      watch.close();
      setTimeout(() => process.exit(0), ROUND_LIMIT_MS).unref();
    });
    let changed: readonly string[] | undefined = [];
    while (changed !== undefined) {
      const given = await session.round(changed);
      context.announce(present(given));
      if (changed.length === 0) context.tell(`\nWatching ${config.values.repo}; Ctrl-C ends it.`);
      changed = await watch.next();
    }
    return { json: undefined, text: '' };
  },
});

/** What is no part of the definitions, and what editors lay beside a file. */
const IGNORED = /^[.#]|~$|^(node_modules|__pycache__)$|\.(test|spec)\.m?[jt]s$/;

interface Session {
  /** As it was when the session began. */
  readonly config: Config;
  round(changed: readonly string[]): Promise<RoundGiven>;
}

async function startSession(context: CommandContext, options: CommandOptions): Promise<Session> {
  const key = readKey(textOption(options, 'key'));
  const { config } = await context.app();
  const { environment } = context;
  const repository = config.values.repo;
  const found = new Map<string, SampleRow>();
  const open = await localApps(context, textOption(options, 'config'));
  let number = 0;
  return {
    config,
    async round(changed) {
      const started = performance.now();
      number += 1;
      const round = await runRound({
        open,
        // Elsewhere than on a terminal, lines of what takes a moment would bury what changed.
        progress: process.stderr.isTTY ? context.progress : silentProgress,
        allowBreaking: options['yes'] === true,
        service: textOption(options, 'service'),
        key,
        found,
      });
      const seconds = (performance.now() - started) / 1000;
      const time = new Date().toLocaleTimeString('en-GB');
      return { round, number, changed, seconds, from: environment.workingDirectory, repository, time };
    },
  };
}

/** Opens apps over the project's own stores, or over those of `dev`; says which, and again when that changes. */
async function localApps(context: CommandContext, config: string | undefined): Promise<() => Promise<LocalApp>> {
  const { createLogger, openApp } = await import('../app/index.ts');
  const { environment } = context;
  // What a server would tell of its work is of no interest here.
  const logger = createLogger('warn');
  let told: string | undefined;
  return async () => {
    const asConfigured = await openApp({ config, environment, logger });
    const stores = chooseStores(asConfigured.config);
    const says = describeStores(stores);
    if (says !== told) context.tell(says);
    told = says;
    if (stores.isOwn) return { app: asConfigured, stores };
    // Nothing of it was opened.
    await asConfigured.close();
    const variables = { ...environment.variables, ...stores.variables };
    return { app: await openApp({ config, environment: { ...environment, variables }, logger }), stores };
  };
}

function describeStores({ isOwn, shared }: DevStores): string {
  if (isOwn) return 'Working on this project’s own registry and store.';
  const what = shared.length === 1 ? 'lies' : 'lie';
  return `Working on a registry and store of its own in .headrace/dev: ${shared.join(', ')} ${what} outside of this project.`;
}

function readKey(text: string | undefined): SampleRow | undefined {
  if (text === undefined) return undefined;
  let key: unknown;
  try {
    key = parseJson(text);
  } catch (thrown) {
    throw usageError(`--key is not JSON: ${messageOf(thrown)}`);
  }
  if (key === null || typeof key !== 'object' || Array.isArray(key))
    throw usageError(`--key takes a JSON object of columns and values, got ${text}.`);
  return key as SampleRow; // an object of JSON
}
