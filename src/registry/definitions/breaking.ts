// What a change would break: features and columns that an endpoint's callers or models count on, and stored keys.

import { type Field, sameType, typeName } from '../../core/index.ts';
import {
  type Manifest,
  own,
  type ResolvedService,
  resolveService,
  type ServiceFeature,
} from '../../definitions/index.ts';
import type { InUse } from './in-use.ts';
import type { ObjectKind } from './objects.ts';

type Differs = (object: ObjectKind, name: string) => boolean;
type Owner = readonly [ObjectKind, string];
type Featured = { readonly features: readonly Field[] };

/** Reasons by `kind/name` of the changed object that causes them. Both manifests are valid. */
export function findBreaking(before: Manifest, after: Manifest, inUse: InUse, differs: Differs): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  // The reason goes to the first of the owners that differs: the cause, not what follows from it.
  const blame = (owners: readonly Owner[], reason: string): void => {
    const owner = owners.find(([object, name]) => differs(object, name));
    if (owner === undefined) return;
    const key = owner.join('/');
    const known = reasons.get(key) ?? [];
    if (!known.includes(reason)) reasons.set(key, [...known, reason]);
  };
  checkEntities(before, after, blame);
  checkFeatureTypes(before, after, blame);
  checkRequests(before, after, blame);
  checkEndpoints(before, after, inUse, blame);
  for (const [model, versions] of inUse.modelVersions) {
    if (Object.hasOwn(before.models, model) && !Object.hasOwn(after.models, model)) {
      blame([['model', model]], `it has ${versions} registered version${versions === 1 ? '' : 's'}`);
    }
  }
  return reasons;
}

type Blame = (owners: readonly Owner[], reason: string) => void;

function checkEntities(before: Manifest, after: Manifest, blame: Blame): void {
  for (const [name, was] of Object.entries(before.entities)) {
    const is = own(after.entities, name);
    if (is === undefined || showFields(was.keys) === showFields(is.keys)) continue;
    const [old, next] = [showFields(was.keys), showFields(is.keys)];
    const reason = `its keys change from (${old}) to (${next}): stored rows lie under the old ones`;
    blame([['entity', name]], reason);
  }
}

function checkFeatureTypes(before: Manifest, after: Manifest, blame: Blame): void {
  for (const [object, section] of [
    ['view', 'views'],
    ['onDemandView', 'onDemandViews'],
  ] as const) {
    for (const [name, was] of Object.entries(before[section])) {
      for (const [feature, types] of changedTypes(was.features, own<Featured>(after[section], name)?.features ?? [])) {
        blame([[object, name]], `feature "${feature}" changes type from ${types}`);
      }
    }
  }
}

function checkRequests(before: Manifest, after: Manifest, blame: Blame): void {
  for (const name of Object.keys(before.services)) {
    if (!Object.hasOwn(after.services, name)) continue;
    const [was, is] = [resolveService(before, name), resolveService(after, name)];
    for (const [column, types] of changedTypes(was.requestColumns, is.requestColumns)) {
      const owners: Owner[] = [
        ...is.onDemand.map(({ view }): Owner => ['onDemandView', view.name]),
        ...is.reads.map(({ entity }): Owner => ['entity', entity.name]),
        ...is.reads.map(({ view }): Owner => ['view', view.name]),
        ['service', name],
      ];
      blame(owners, `request column "${column}" of service "${name}" changes type from ${types}`);
    }
  }
}

function checkEndpoints(before: Manifest, after: Manifest, inUse: InUse, blame: Blame): void {
  for (const [name, was] of Object.entries(before.endpoints)) {
    const is = own(after.endpoints, name);
    const hasTraffic = inUse.endpointsWithTraffic.has(name);
    if (is === undefined) {
      if (hasTraffic) blame([['endpoint', name]], 'it has traffic');
      continue;
    }
    if (is.model !== was.model && hasTraffic) {
      blame([['endpoint', name]], `its traffic goes to versions of model "${was.model}"`);
    }
    const [oldModel, newModel] = [own(before.models, was.model), own(after.models, is.model)];
    if (oldModel === undefined || newModel === undefined) continue;
    const owners: Owner[] = [
      ['model', newModel.name],
      ['endpoint', name],
    ];
    checkFeatures(
      resolveService(before, oldModel.service),
      resolveService(after, newModel.service),
      name,
      owners,
      blame,
    );
    const outputs = new Set(newModel.outputs.map((output) => output.name));
    for (const output of oldModel.outputs) {
      if (!outputs.has(output.name))
        blame(owners, `endpoint "${name}" answers with output "${output.name}", which is removed`);
    }
    for (const [output, types] of changedTypes(oldModel.outputs, newModel.outputs)) {
      blame(owners, `output "${output}" of endpoint "${name}" changes type from ${types}`);
    }
  }
}

function checkFeatures(
  was: ResolvedService,
  is: ResolvedService,
  endpoint: string,
  last: readonly Owner[],
  blame: Blame,
): void {
  const kept = new Set(is.features.map((feature) => feature.name));
  for (const feature of was.features) {
    if (kept.has(feature.name)) continue;
    const owners: Owner[] = [viewOf(was, feature), ['service', is.name], ['service', was.name], ...last];
    blame(owners, `endpoint "${endpoint}" uses feature "${feature.name}", which is removed`);
  }
}

function viewOf(service: ResolvedService, { from }: ServiceFeature): Owner {
  return from.kind === 'read'
    ? ['view', service.reads[from.read]?.view.name ?? '']
    : ['onDemandView', service.onDemand[from.transform]?.view.name ?? ''];
}

/** Fields of both lists whose types differ, with `old to new`. */
function changedTypes(before: readonly Field[], after: readonly Field[]): [string, string][] {
  const next = new Map(after.map((field) => [field.name, field.type]));
  return before.flatMap(({ name, type }) => {
    const now = next.get(name);
    return now === undefined || sameType(type, now) ? [] : [[name, `${typeName(type)} to ${typeName(now)}`]];
  });
}

function showFields(fields: readonly Field[]): string {
  return fields.map(({ name, type }) => `${name}: ${typeName(type)}`).join(', ');
}
