// What alerts of a rule can be of beside an endpoint: features and outputs, figures, monitors. A silence of a misspelt one would
// keep nothing back.

import type { App } from '../app/index.ts';
import { didYouMean } from '../core/index.ts';
import { usageError } from './command.ts';

const MOST_NAMED = 40;

/** Throws HR_USAGE for a feature that no alert of the rule is of. */
export async function checkAlertFeature(
  app: App,
  { rule, endpoint, feature }: { readonly rule: string; readonly endpoint: string | null; readonly feature: string },
): Promise<void> {
  const known = await alertFeatures(app, rule, endpoint);
  if (known.includes(feature)) return;
  const place = endpoint === null ? '' : ` at endpoint "${endpoint}"`;
  if (known.length === 0) throw usageError(`alerts of rule ${rule}${place} are of no feature: leave --feature out.`);
  const more = known.length > MOST_NAMED ? ` and ${known.length - MOST_NAMED} more` : '';
  const listed = `${known.slice(0, MOST_NAMED).join(', ')}${more}`;
  throw usageError(
    `there is no feature "${feature}" that alerts of rule ${rule} are of${place}.${didYouMean(feature, known)} There are ${listed}.`,
  );
}

/** Those that are watched now, and those that alerts were of. */
async function alertFeatures(app: App, rule: string, endpoint: string | null): Promise<readonly string[]> {
  const alerts = await (await app.alerts()).list({ rule, ...(endpoint === null ? {} : { endpoint }) });
  const told = alerts.flatMap(({ feature }) => feature ?? []);
  return [...new Set([...(await watched(app, rule, endpoint)), ...told])].sort();
}

async function watched(app: App, rule: string, endpoint: string | null): Promise<readonly string[]> {
  const { MONITORS, QUALITY_FIGURES } = await import('../monitoring/index.ts');
  if (rule === 'monitor_stopped') return MONITORS;
  if (rule === 'quality') return QUALITY_FIGURES;
  if (rule !== 'drift' && rule !== 'skew') return [];
  const { openDrift } = await import('../app/index.ts');
  const drift = await openDrift(app);
  const endpoints = endpoint === null ? await drift.endpoints() : [await drift.endpoint(endpoint)];
  const arms = endpoints.flatMap((one) => one.arms);
  const versions = await Promise.all(arms.map((arm) => drift.version(arm)));
  const features = versions.flatMap((version) => version.features.map(({ name }) => name));
  if (rule === 'skew') return features;
  const models = (await (await app.registry()).definitions.current())?.manifest.models ?? {};
  const outputs = arms.flatMap(({ model }) => models[model]?.outputs.map(({ name }) => name) ?? []);
  return [...features, ...outputs.map((name) => `output:${name}`)];
}
