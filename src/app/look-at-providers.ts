// Whether the execution providers can be had here that models with traffic run on, or that `models.providers` names, and whether
// the models are there that it names.

import { didYouMean, HeadraceError, toHeadraceError } from '../core/index.ts';
import { graphPins, versionsIn } from '../registry/index.ts';
import type { Finding } from './finding.ts';
import { providersOf } from './model-providers.ts';
import type { App } from './open-app.ts';

/**
 * One finding for each but the CPU, which is always there, and one for each name in `models.providers` that is no model.
 * `isRegistryRead`: whether what is served and registered can be looked at; the setting's are tried in any case.
 */
export async function lookAtProviders(app: App, isRegistryRead: boolean): Promise<Finding[]> {
  const chosen = app.config.values['models.providers'] ?? {};
  const wanted = new Map<string, Set<string>>();
  const want: Want = (by, providers) => {
    for (const provider of providers) {
      if (provider === 'cpu') continue;
      wanted.set(provider, (wanted.get(provider) ?? new Set()).add(by));
    }
  };
  for (const list of Object.values(chosen)) want(SETTING, list);
  const findings: Finding[] = [];
  if (isRegistryRead) {
    findings.push(...(await lookForNames(app, Object.keys(chosen))));
    await wantServed(app, want);
  }
  if (wanted.size === 0) return findings;
  const { tryProvider } = await import('../models/index.ts');
  for (const [provider, by] of wanted) {
    const check = `provider ${provider}`;
    const who = [...by].join(', ');
    try {
      await tryProvider(provider);
      findings.push({ check, state: 'ok', says: `runs a model (for ${who})` });
    } catch (thrown) {
      const { message } = toHeadraceError(thrown);
      const fix = 'see docs/guides/gpu.md, or say other providers in models.providers';
      findings.push({ check, state: 'fail', says: `${message} (for ${who})`, fix });
    }
  }
  return findings;
}

const SETTING = 'models.providers';
const ALL = '*';

type Want = (by: string, providers: readonly string[]) => void;

/** What versions with traffic run on, and what those of graphs do. */
async function wantServed(app: App, want: Want): Promise<void> {
  const chosen = providersOf(app.config.values);
  const { models, endpoints } = await app.registry();
  const wantOf = async (model: string, version: number): Promise<void> => {
    const { spec, signature } = await models.get(model, version);
    const pins = graphPins(signature);
    for (const pinned of pins) await wantOf(pinned.model, pinned.version);
    if (pins.length === 0) want(`model "${model}"`, chosen(model, spec?.providers ?? ['cpu']));
  };
  for (const endpoint of await endpoints.list()) {
    for (const version of versionsIn({ ...endpoint, change: null })) {
      // Of a version that can't be read another check tells.
      await wantOf(endpoint.model, version).catch((thrown: unknown) => {
        if (!(thrown instanceof HeadraceError)) throw thrown;
      });
    }
  }
}

/** A name with a slip would leave its model where it runs without the setting, and nothing else says so. */
async function lookForNames(app: App, names: readonly string[]): Promise<Finding[]> {
  if (names.every((name) => name === ALL)) return [];
  const { models, plainModels } = await app.registry();
  const known = [...(await models.list()), ...(await plainModels.list())].map(({ name }) => name);
  return names
    .filter((name) => name !== ALL && !known.includes(name))
    .map((name) => ({
      check: SETTING,
      state: 'warn',
      says: `names "${name}", and there is no such model.${didYouMean(name, known)}`,
      fix: `register it, or correct the name; what is not named runs as "${ALL}" says, or as its definition does`,
    }));
}
