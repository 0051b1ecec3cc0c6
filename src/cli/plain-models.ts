// What `headrace models` shows of plain models: those that no definition has.

import { formatTimestamp } from '../core/index.ts';
import type { PlainModel, PlainVersion, Registry } from '../registry/index.ts';
import { describeTensors } from './model-signature.ts';
import { formatTable } from './table.ts';

export interface ListedPlain {
  readonly name: string;
  readonly service: null;
  readonly versions: number;
  readonly aliases: Readonly<Record<string, number>>;
  readonly plain: true;
}

/** Undefined where there is none, or definitions came to have its name, and it means their model. */
export async function findPlain(
  registry: Pick<Registry, 'definitions' | 'plainModels'>,
  name: string,
): Promise<PlainModel | undefined> {
  const current = await registry.definitions.current();
  const isDefined = current !== undefined && Object.hasOwn(current.manifest.models, name);
  return isDefined ? undefined : registry.plainModels.find(name);
}

export function listPlain({ name, versions }: PlainModel): ListedPlain {
  const named = versions.flatMap(({ version, aliases }) => aliases.map((alias) => [alias, version] as const));
  return { name, service: null, versions: versions.length, aliases: Object.fromEntries(named), plain: true };
}

export function isPlain(model: object): model is ListedPlain {
  return 'plain' in model;
}

export function showPlain({ name, versions }: PlainModel): { readonly json: object; readonly text: string } {
  const rows = versions.map(({ version, aliases, artifact, signature, metrics, createdAtMicros }) => [
    String(version),
    aliases.join(' '),
    artifact.slice(0, 12),
    describeTensors(signature),
    Object.entries(metrics)
      .map(([metric, value]) => `${metric}=${value}`)
      .join(' '),
    formatTimestamp(createdAtMicros),
  ]);
  const heads = ['VERSION', 'ALIASES', 'ARTIFACT', 'SIGNATURE', 'METRICS', 'CREATED'];
  return { json: { model: name, versions: versions.map(presentPlain) }, text: formatTable([heads, ...rows]) };
}

export function presentPlain({ createdAtMicros, isRetired, rowsVerdict, ...others }: PlainVersion): object {
  return { ...others, rows: rowsVerdict, retired: isRetired, created_at: formatTimestamp(createdAtMicros) };
}
