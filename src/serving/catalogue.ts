// What is there to ask: endpoints, services, sources and views with their columns, as they are served right now. What the
// lists, the OpenAPI document and the docs page are made from.

import type { DataType, Field } from '../core/index.ts';
import {
  type Manifest,
  mayLack,
  type ModelSpec,
  type ResolvedService,
  resolveService,
  type SourceSpec,
  storedName,
  type ViewSpec,
  viewOfVersion,
} from '../definitions/index.ts';
import type { ServiceState } from '../registry/index.ts';
import type { Snapshot } from './snapshot.ts';

/** Made once a snapshot: the same object for as long as nothing of it changes. */
export interface Catalogue {
  readonly project: string;
  /** The apply that is loaded. */
  readonly revision: number;
  readonly endpoints: readonly ListedEndpoint[];
  readonly services: readonly ListedService[];
  readonly sources: readonly ListedSource[];
  readonly views: readonly ListedView[];
}

export interface Described {
  readonly name: string;
  readonly description?: string;
  readonly owner?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** A column that a request row carries. */
export interface RequestColumn {
  readonly name: string;
  readonly type: DataType;
  /** Rows without it, or with null, are refused. */
  readonly isRequired: boolean;
  /** Stands in where it is absent or null; JSON form. */
  readonly default?: unknown;
  /** What it is for. */
  readonly description: string;
}

/** A value of an answer: in several types where variants differ. */
export interface AnsweredField {
  readonly name: string;
  readonly types: readonly DataType[];
  /** False where the answers of some variants lack it. */
  readonly isAlways: boolean;
  readonly description?: string;
}

export interface ListedEndpoint extends Described {
  readonly model: string;
  readonly unit: readonly string[];
  readonly request: readonly RequestColumn[];
  readonly outputs: readonly AnsweredField[];
  readonly features: readonly AnsweredField[];
}

export interface ListedService extends Described {
  readonly state: ServiceState;
  /** The apply by whose definitions it is answered. */
  readonly revision: number;
  /** View versions that are not complete. */
  readonly waitsFor: readonly string[];
  readonly request: readonly RequestColumn[];
  readonly features: readonly AnsweredField[];
}

export interface ListedSource extends Described {
  readonly kind: SourceSpec['kind'];
  readonly columns: readonly RequestColumn[];
}

export interface ListedView extends Described {
  readonly entity: string;
  readonly keys: readonly Field[];
  readonly source: string;
  readonly features: ViewSpec['features'];
  readonly versions: readonly { readonly version: string; readonly isCurrent: boolean; readonly isComplete: boolean }[];
}

/** What of a snapshot the catalogue is made from. */
export type CatalogueSource = Pick<
  Snapshot,
  'revision' | 'definitions' | 'versions' | 'complete' | 'endpoints' | 'services'
>;

const made = new WeakMap<CatalogueSource, Catalogue>();

/** The catalogue of a snapshot, which never changes. */
export function catalogueOf(snapshot: CatalogueSource): Catalogue {
  let catalogue = made.get(snapshot);
  if (catalogue === undefined) made.set(snapshot, (catalogue = makeCatalogue(snapshot)));
  return catalogue;
}

function makeCatalogue(snapshot: CatalogueSource): Catalogue {
  const { manifest } = snapshot.definitions;
  const versions = Map.groupBy(snapshot.versions, ({ version }) => viewOfVersion(version));
  return {
    project: manifest.project,
    revision: snapshot.revision,
    endpoints: Object.values(manifest.endpoints).map((endpoint) => listEndpoint(snapshot, manifest, endpoint.name)),
    services: Object.keys(manifest.services).map((name) => listService(snapshot, manifest, name)),
    sources: Object.values(manifest.sources).map(listSource),
    views: Object.values(manifest.views).map((view) => listView(snapshot, view, versions.get(storedName(view)) ?? [])),
  };
}

// An endpoint's versions may have been trained on earlier definitions: what it takes and gives is what those say.
function listEndpoint({ endpoints }: CatalogueSource, manifest: Manifest, name: string): ListedEndpoint {
  const spec = manifest.endpoints[name] as Manifest['endpoints'][string];
  const model = manifest.models[spec.model] as ModelSpec;
  const plan = endpoints.get(name)?.plan;
  const current = resolveService(manifest, model.service);
  const served = plan?.arms.map(({ features }) => features.service) ?? [];
  const services = served.length === 0 ? [current] : served;
  const outputs = served.length === 0 ? [model.outputs] : plan?.arms.map(({ graph }) => graph.model.spec.outputs);
  return {
    ...described(spec),
    model: model.name,
    unit: spec.unit,
    request: listRequest(plan?.requestColumns ?? current.requestColumns, services),
    outputs: unite(outputs ?? []),
    features: unite(services.map(({ features }) => features)).map((field) => describeFeature(field, services)),
  };
}

function listService({ services, revision }: CatalogueSource, manifest: Manifest, name: string): ListedService {
  const served = services.get(name);
  const by = served?.state === 'unserved' ? manifest : (served?.definitions.manifest ?? manifest);
  const service = resolveService(by, name);
  return {
    ...described(manifest.services[name] as Described),
    state: served?.state ?? 'current',
    revision: served?.revision ?? revision,
    waitsFor: served?.waitsFor ?? [],
    request: listRequest(service.requestColumns, [service]),
    features: unite([service.features]).map((field) => describeFeature(field, [service])),
  };
}

function listSource(source: SourceSpec): ListedSource {
  const known = source.knownTime.kind === 'column' ? source.knownTime.column : undefined;
  const describe = ({ name }: Field): string => {
    if (name === source.eventTime) return 'The event time';
    if (name === known) return 'When the row was known; the arrival where it is null';
    if (name === source.tombstone) return 'True deletes the key from the event time on';
    return '';
  };
  const columns = source.columns.map((field) => ({
    name: field.name,
    type: field.type,
    isRequired: field.name === source.eventTime,
    description: describe(field),
  }));
  return { ...described(source), kind: source.kind, columns };
}

function listView(
  { definitions, complete }: CatalogueSource,
  view: ViewSpec,
  versions: CatalogueSource['versions'],
): ListedView {
  return {
    ...described(view),
    entity: view.entity,
    keys: definitions.manifest.entities[view.entity]?.keys ?? [],
    source: view.source,
    features: view.features,
    versions: versions.map((one) => ({
      version: one.version,
      isCurrent: one.isCurrent,
      isComplete: complete.has(one),
    })),
  };
}

function listRequest(columns: readonly Field[], services: readonly ResolvedService[]): RequestColumn[] {
  return columns.map((field) => ({
    name: field.name,
    type: field.type,
    isRequired: !mayLack(field),
    ...(field.default !== undefined && { default: field.default }),
    description: purposeOf(field.name, services),
  }));
}

function purposeOf(column: string, services: readonly ResolvedService[]): string {
  const entities = new Set<string>();
  const views = new Set<string>();
  for (const { reads, onDemand } of services) {
    for (const { entity, keyColumns } of reads) if (keyColumns.includes(column)) entities.add(entity.name);
    for (const { view, inputs } of onDemand) {
      const isInput = inputs.some((one) => one.kind === 'request' && one.columns.some(({ name }) => name === column));
      if (isInput) views.add(view.name);
    }
  }
  const key = entities.size === 0 ? [] : [`Key of ${[...entities].join(', ')}`];
  const input = views.size === 0 ? [] : [`${entities.size === 0 ? 'Input' : 'input'} of ${[...views].join(', ')}`];
  return [...key, ...input].join('; ');
}

function unite(lists: readonly (readonly Field[])[]): AnsweredField[] {
  const united = new Map<string, { readonly types: Map<string, DataType>; count: number }>();
  for (const { name, type } of lists.flat()) {
    const known = united.get(name) ?? { types: new Map<string, DataType>(), count: 0 };
    united.set(name, known);
    known.types.set(JSON.stringify(type), type);
    known.count++;
  }
  return [...united].map(([name, { types, count }]) => ({
    name,
    types: [...types.values()],
    isAlways: count === lists.length,
  }));
}

function describeFeature(field: AnsweredField, services: readonly ResolvedService[]): AnsweredField {
  for (const { features, reads } of services) {
    const { from } = features.find(({ name }) => name === field.name) ?? {};
    const spec = from?.kind === 'read' ? reads[from.read]?.view.features[from.feature] : undefined;
    if (spec?.description !== undefined) return { ...field, description: spec.description };
  }
  return field;
}

function described({ name, description, owner, tags }: Described): Described {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { owner }),
    ...(tags === undefined ? {} : { tags }),
  };
}
