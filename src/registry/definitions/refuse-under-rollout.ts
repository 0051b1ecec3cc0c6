// What a rollout uses can't be taken from under it by an apply, whatever the apply was told to go ahead with: the definitions say
// what there is, and who serves is the registry's.

import { canonicalJson, type ErrorDetail, HeadraceError } from '../../core/index.ts';
import { type Manifest, own } from '../../definitions/index.ts';
import { type EndpointState, readEndpoints } from '../endpoint-rows.ts';
import { readVersions } from '../model-versions.ts';
import type { RegistryDb } from '../store.ts';
import { versionsIn } from '../traffic-versions.ts';

/** Throws HR_ROLLOUT_UNDERWAY where the manifest lacks, or changes, what a rollout that is under way goes by. */
export async function refuseUnderRollout(trx: RegistryDb, manifest: Manifest): Promise<void> {
  const details: ErrorDetail[] = [];
  for (const endpoint of await readEndpoints(trx)) {
    if (endpoint.rollout === null) continue;
    const lack = lackOf(endpoint, manifest) ?? (await lackingService(trx, endpoint, manifest));
    if (lack !== undefined) details.push({ path: `endpoint ${endpoint.name}`, message: lack });
  }
  const [first] = details;
  if (first === undefined) return;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const sentence = `these definitions take away what a rollout uses: ${first.path}: ${first.message}${more}. Wait until it ends, or \`headrace rollout abort\` it.`;
  throw new HeadraceError('HR_ROLLOUT_UNDERWAY', sentence, { details });
}

function lackOf({ name, model, unit, rollout }: EndpointState, manifest: Manifest): string | undefined {
  const spec = own(manifest.endpoints, name);
  if (spec === undefined) return `it is gone, and rollout ${rollout} brings a version to it`;
  if (spec.model !== model) return `its model is "${spec.model}", and rollout ${rollout} is of model "${model}"`;
  if (canonicalJson(spec.unit) !== canonicalJson(unit)) return `its unit changes, and rollout ${rollout} counts by it`;
  return own(manifest.models, model) === undefined
    ? `its model "${model}" is gone, and rollout ${rollout} serves it`
    : undefined;
}

async function lackingService(
  trx: RegistryDb,
  endpoint: EndpointState,
  manifest: Manifest,
): Promise<string | undefined> {
  const used = versionsIn(endpoint);
  const versions = (await readVersions(trx, endpoint.model)).filter(({ version }) => used.has(version));
  const gone = versions.find(({ service }) => own(manifest.services, service) === undefined);
  if (gone === undefined) return undefined;
  return `service "${gone.service}" is gone, which version ${gone.version} of its model reads, and rollout ${endpoint.rollout} serves it`;
}
