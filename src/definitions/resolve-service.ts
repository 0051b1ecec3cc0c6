// A feature service, resolved for those who compute it (offline plan, online reader): which reads to make,
// which on-demand views to run in which order, and where each feature comes from.

import { didYouMeanOf, HeadraceError, type Field } from '../core/index.ts';
import type { EntitySpec, Manifest, OnDemandViewSpec, ViewSpec } from './manifest.ts';
import { own } from './own.ts';
import { bothColumns, keyColumn } from './request-columns.ts';

export interface ResolvedService {
  readonly name: string;
  /**
   * What a request row (or spine row) carries: key columns and on-demand request columns, each once. A row of a request must
   * have each, but for those that are optional or have a default.
   */
  readonly requestColumns: readonly Field[];
  /** Reads of stored views, each (view, key mapping) once, whoever needs it. */
  readonly reads: readonly ServiceRead[];
  /** On-demand views in an order in which each finds its inputs ready. */
  readonly onDemand: readonly ServiceTransform[];
  /** The service's features in order, by full name `<role>__<feature>`. */
  readonly features: readonly ServiceFeature[];
}

export interface ServiceRead {
  readonly view: ViewSpec;
  readonly entity: EntitySpec;
  /** Request column for each of the entity's keys, in the entity's order. */
  readonly keyColumns: readonly string[];
}

export interface ServiceTransform {
  readonly view: OnDemandViewSpec;
  readonly inputs: readonly (
    | { readonly kind: 'request'; readonly name: string; readonly columns: readonly Field[] }
    | { readonly kind: 'read'; readonly name: string; readonly read: number }
    | { readonly kind: 'onDemand'; readonly name: string; readonly transform: number }
  )[];
}

export interface ServiceFeature extends Field {
  /** Index into `reads` or `onDemand`, and of the feature in that view's own list. */
  readonly from:
    | { readonly kind: 'read'; readonly read: number; readonly feature: number }
    | { readonly kind: 'onDemand'; readonly transform: number; readonly feature: number };
}

/** Resolves a service of a valid manifest. Throws HR_UNKNOWN_SERVICE. */
export function resolveService(manifest: Manifest, name: string): ResolvedService {
  const service = own(manifest.services, name);
  if (service === undefined) {
    const known = Object.keys(manifest.services);
    throw new HeadraceError(
      'HR_UNKNOWN_SERVICE',
      `there is no feature service "${name}".${didYouMeanOf('services', name, known)}`,
    );
  }
  const columns = new Map<string, Field>();
  const reads: ServiceRead[] = [];
  const readIndex = new Map<string, number>();
  const transforms: ServiceTransform[] = [];
  const transformIndex = new Map<string, number>();

  const addColumn = (column: Field): void => {
    const known = columns.get(column.name);
    columns.set(column.name, known === undefined ? column : bothColumns(known, column));
  };

  const addRead = (viewName: string, keyColumns: readonly string[]): number => {
    const id = JSON.stringify([viewName, keyColumns]);
    const existing = readIndex.get(id);
    if (existing !== undefined) return existing;
    const view = lookUp(manifest.views, viewName);
    const entity = lookUp(manifest.entities, view.entity);
    keyColumns.forEach((column, at) => addColumn(keyColumn(column, entity.keys[at] as Field)));
    readIndex.set(id, reads.length);
    return reads.push({ view, entity, keyColumns }) - 1;
  };

  const addTransform = (viewName: string): number => {
    const existing = transformIndex.get(viewName);
    if (existing !== undefined) return existing;
    const view = lookUp(manifest.onDemandViews, viewName);
    const inputs = view.inputs.map((input) => {
      switch (input.kind) {
        case 'request':
          for (const column of input.columns) addColumn(column);
          return input;
        case 'view':
          return { kind: 'read' as const, name: input.name, read: addRead(input.view, input.keyColumns) };
        case 'onDemand':
          return { kind: 'onDemand' as const, name: input.name, transform: addTransform(input.view) };
      }
    });
    transformIndex.set(viewName, transforms.length);
    return transforms.push({ view, inputs }) - 1;
  };

  const features: ServiceFeature[] = [];
  for (const member of service.members) {
    if (member.kind === 'view') {
      const read = addRead(member.view, member.keyColumns);
      const all = (reads[read] as ServiceRead).view.features;
      for (const picked of member.features) {
        const feature = all.findIndex((candidate) => candidate.name === picked);
        features.push({ ...asField(all[feature] as Field, member.role), from: { kind: 'read', read, feature } });
      }
    } else {
      const transform = addTransform(member.view);
      const all = (transforms[transform] as ServiceTransform).view.features;
      for (const picked of member.features) {
        const feature = all.findIndex((candidate) => candidate.name === picked);
        features.push({
          ...asField(all[feature] as Field, member.role),
          from: { kind: 'onDemand', transform, feature },
        });
      }
    }
  }
  return { name, requestColumns: [...columns.values()], reads, onDemand: transforms, features };
}

function asField(field: Field, role: string): Field {
  const named = { name: `${role}__${field.name}`, type: field.type };
  return field.default === undefined ? named : { ...named, default: field.default };
}

// The manifest was validated: every name that it uses is in it.
function lookUp<T>(specs: Readonly<Record<string, T>>, name: string): T {
  return specs[name] as T;
}
