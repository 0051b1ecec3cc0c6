// What a feature of a service is, in parts: each of one owner (an object of the definitions) and in one aspect. Two features
// whose parts are equal have the same values, whatever they are called.

import { canonicalJson, type Field, typeName } from '../../core/index.ts';
import {
  columnsRead,
  type EntitySpec,
  featureColumns,
  type FeatureSpec,
  type Manifest,
  isLogAlone,
  type OnDemandViewSpec,
  own,
  type ServiceMember,
  settingApart,
  type SourceSpec,
  storedName,
  type ViewSpec,
} from '../../definitions/index.ts';
import type { ObjectKind } from './objects.ts';

export type Aspect = 'type' | 'meaning' | 'code';

export interface Owner {
  readonly object: ObjectKind;
  readonly name: string;
}

export interface Part {
  readonly owner: Owner;
  readonly aspect: Aspect;
  /** Equal values are equal texts. */
  readonly value: string;
}

/** By what each is a part of, such as `source` or `input/origin/mean_7d/view`: the same from one manifest to the next. */
export type Parts = ReadonlyMap<string, Part>;

/** A feature as a service gives it. */
export interface Served {
  /** `<role>__<feature>` */
  readonly fullName: string;
  readonly member: ServiceMember;
  readonly feature: string;
}

/** Of a service of a valid manifest, by full name; undefined where there is none. */
export function servedFeatures(manifest: Manifest, service: string): ReadonlyMap<string, Served> | undefined {
  const spec = own(manifest.services, service);
  if (spec === undefined) return undefined;
  return new Map(
    spec.members.flatMap((member) =>
      member.features.map((feature) => {
        const fullName = `${member.role}__${feature}`;
        return [fullName, { fullName, member, feature }] as const;
      }),
    ),
  );
}

/** Parts of a feature that a service of the manifest gives. */
export function servedParts(manifest: Manifest, service: string, { member, feature }: Served): Parts {
  const owner: Owner = { object: 'service', name: service };
  if (member.kind === 'onDemand') return onDemandParts(manifest, member.view, feature);
  const value = canonicalJson(keyedBy(manifest, member.view, member.keyColumns));
  return new Map([['service', { owner, aspect: 'meaning', value }], ...viewParts(manifest, member.view, feature)]);
}

/** Of a stored feature. */
function viewParts(manifest: Manifest, viewName: string, featureName: string): Parts {
  return remember(manifest, `view/${viewName}/${featureName}`, () => {
    // The manifest was validated: what it names is in it.
    const view = manifest.views[viewName] as ViewSpec;
    const entity = manifest.entities[view.entity] as EntitySpec;
    const source = manifest.sources[view.source] as SourceSpec;
    const feature = view.features.find(({ name }) => name === featureName) as FeatureSpec;
    const { aggregation, type } = feature;
    const columns = featureColumns(source, view, feature);
    const parts: Draft = new Map();
    const put = drafting(parts);
    put('entity', 'entity', entity.name, 'meaning', [storedName(entity), entity.keys.map((key) => typeName(key.type))]);
    const { knownTime, createdOrder = null, tombstone = null, pushes, location } = source;
    const times = [source.eventTime, knownTime, createdOrder, tombstone];
    const isPushed = isLogAlone(source);
    put('source', 'source', source.name, 'meaning', [
      source.name,
      isPushed,
      pushes,
      location['query'] ?? null,
      times,
      typesOf(source, columns),
      settingApart(source),
    ]);
    put('source/code', 'source', source.name, 'code', codeOf(source, columns));
    put('view/type', 'view', view.name, 'type', typeName(type));
    put('view', 'view', view.name, 'meaning', [
      storedName(entity),
      source.name,
      aggregation,
      view.keyColumns,
      aggregation.op === 'latest' ? view.ttlMicros : null,
      view.freshness,
      defaultOf(feature),
    ]);
    return parts;
  });
}

/** Of a feature on demand: its own, and those of all that its transform gets. */
function onDemandParts(manifest: Manifest, viewName: string, featureName: string): Parts {
  return remember(manifest, `onDemand/${viewName}/${featureName}`, () => {
    const view = manifest.onDemandViews[viewName] as OnDemandViewSpec;
    const feature = view.features.find(({ name }) => name === featureName) as Field;
    const parts: Draft = new Map(inputParts(manifest, viewName));
    const put = drafting(parts);
    put('on demand/type', 'onDemandView', viewName, 'type', typeName(feature.type));
    put('on demand', 'onDemandView', viewName, 'meaning', defaultOf(feature));
    put('on demand/code', 'onDemandView', viewName, 'code', view.transform.hash);
    return parts;
  });
}

// Of what a transform gets, what it reads, as far as that can be told.
function inputParts(manifest: Manifest, viewName: string): Parts {
  return remember(manifest, `inputs/${viewName}`, () => {
    const view = manifest.onDemandViews[viewName] as OnDemandViewSpec;
    const { reads } = view.transform;
    const parts: Draft = new Map();
    const put = drafting(parts);
    for (const input of view.inputs) {
      const slot = `input/${input.name}`;
      const isRead = (member: string): boolean =>
        reads === undefined || reads.includes(input.name) || reads.includes(`${input.name}.${member}`);
      if (input.kind === 'request') {
        // Their types are what a request is held against, and told by that.
        const columns = input.columns.filter(({ name }) => isRead(name));
        for (const column of columns)
          put(`${slot}/${column.name}`, 'onDemandView', viewName, 'meaning', defaultOf(column));
        continue;
      }
      const isStored = input.kind === 'view';
      const given: ViewSpec | OnDemandViewSpec = isStored
        ? (manifest.views[input.view] as ViewSpec)
        : (manifest.onDemandViews[input.view] as OnDemandViewSpec);
      const features = given.features.filter(({ name }) => isRead(name));
      if (features.length === 0) continue;
      const from = isStored ? keyedBy(manifest, input.view, input.keyColumns) : [];
      put(slot, 'onDemandView', viewName, 'meaning', [input.kind, ...from]);
      for (const { name } of features) {
        const own = isStored ? viewParts(manifest, input.view, name) : onDemandParts(manifest, input.view, name);
        for (const [part, value] of own)
          parts.set(`${slot}/${name}/${part}`, { ...value, aspect: ofInput(value.aspect) });
      }
    }
    return parts;
  });
}

// What a transform gets is of another type: what it gives still has its own.
function ofInput(aspect: Aspect): Aspect {
  return aspect === 'type' ? 'meaning' : aspect;
}

/** A stored view by its key columns, and what stands for an absent key. */
function keyedBy(manifest: Manifest, view: string, keyColumns: readonly string[]): readonly unknown[] {
  const entity = manifest.entities[(manifest.views[view] as ViewSpec).entity] as EntitySpec;
  return [storedOf(manifest, view), keyColumns, entity.keys.map(defaultOf)];
}

/** Of a view that the manifest names. */
function storedOf(manifest: Manifest, view: string): string {
  return storedName(manifest.views[view] as ViewSpec);
}

type Draft = Map<string, Part>;

function drafting(parts: Draft) {
  return (slot: string, object: ObjectKind, name: string, aspect: Aspect, value: unknown): void => {
    parts.set(slot, { owner: { object, name }, aspect, value: canonicalJson(value ?? null) });
  };
}

function defaultOf(field: Field): unknown {
  return field.default === undefined ? [] : [field.default];
}

// Of a derived column those of what it gets count, too.
function typesOf(source: SourceSpec, columns: readonly string[]): unknown {
  const derived = source.derive.filter(({ name }) => columns.includes(name));
  const read = new Set([...columns, ...derived.flatMap((one) => columnsRead(source, one))]);
  const own = derived.map(({ name, type }) => [name, typeName(type)]);
  return [
    ...own,
    ...source.columns.filter(({ name }) => read.has(name)).map(({ name, type }) => [name, typeName(type)]),
  ]
    .map((pair) => canonicalJson(pair))
    .sort();
}

function codeOf({ derive }: SourceSpec, columns: readonly string[]): unknown {
  return derive
    .filter(({ name }) => columns.includes(name))
    .map(({ name, by }) => canonicalJson([name, by.kind === 'sql' ? by.sql : by.function.hash]))
    .sort();
}

// A manifest never changes.
const known = new WeakMap<Manifest, Map<string, Parts>>();

function remember(manifest: Manifest, key: string, make: () => Parts): Parts {
  let held = known.get(manifest);
  if (held === undefined) known.set(manifest, (held = new Map()));
  const found = held.get(key) ?? make();
  held.set(key, found);
  return found;
}
