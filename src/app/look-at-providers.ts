// Whether the execution providers can be had here that models with traffic run on, or that `models.providers` names.

import { HeadraceError, toHeadraceError } from '../core/index.ts';
import { graphPins, versionsIn } from '../registry/index.ts';
import type { Finding } from './finding.ts';
import { providersOf } from './model-providers.ts';
import type { App } from './open-app.ts';

/** One finding for each but the CPU, which is always there. */
export async function lookAtProviders(app: App): Promise<Finding[]> {
  const wanted = new Map<string, Set<string>>();
  const want = (by: string, providers: readonly string[]): void => {
    for (const provider of providers) {
      if (provider === 'cpu') continue;
      wanted.set(provider, (wanted.get(provider) ?? new Set()).add(by));
    }
  };
  for (const list of Object.values(app.config.values['models.providers'] ?? {})) want('models.providers', list);
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
  if (wanted.size === 0) return [];
  const { tryProvider } = await import('../models/index.ts');
  const findings: Finding[] = [];
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
