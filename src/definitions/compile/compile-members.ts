// On-demand views and feature services: what they read, by which request columns, under which full names.

import { didYouMean, type Field, sameType, sha256Hex, typeName } from '../../core/index.ts';
import { type Authored, authored, type AuthoredOnDemandView, type AuthoredService } from '../authoring/authored.ts';
import type { Columns } from '../authoring/column-type.ts';
import type {
  EntitySpec,
  OnDemandInput,
  OnDemandViewSpec,
  ServiceMember,
  ServiceSpec,
  UserFunction,
  ViewSpec,
} from '../manifest.ts';
import { own } from '../own.ts';
import { resolveLazy } from './collect.ts';
import { compileAbout, compileFields } from './fields.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { columnMistake, identifierMistake, labelMistake } from './names.ts';

/** What is compiled already, by name. */
export interface CompiledViews {
  readonly entities: ReadonlyMap<string, EntitySpec>;
  readonly views: ReadonlyMap<string, ViewSpec>;
}

export function compileOnDemandView(
  view: AuthoredOnDemandView,
  compiled: CompiledViews,
  functions: Map<string, UserFunction>,
  mistakes: Mistakes,
): OnDemandViewSpec {
  const nameMistake = identifierMistake(view.name);
  if (nameMistake !== undefined) mistakes.add(view, nameMistake);
  const features = compileFields(view.features, view, 'feature', identifierMistake, mistakes);
  if (features.length === 0) mistakes.add(view, 'it has no features: list them in `features: { hour: t.int32() }`');
  const id = `onDemand/${view.name}`;
  if (typeof view.transform !== 'function') mistakes.add(view, 'it needs `transform`: a function of its inputs');
  else functions.set(id, view.transform);
  const inputs = Object.entries(view.inputs ?? {}).flatMap(([name, input]) =>
    compileInput(view, name, input, compiled, mistakes),
  );
  if (inputs.length === 0) mistakes.add(view, 'it has no inputs: list request columns or views in `inputs`');
  return {
    ...compileAbout(view, view.about, mistakes),
    name: view.name,
    inputs,
    features,
    transform: { id, hash: sha256Hex(String(view.transform)) },
  };
}

function compileInput(
  view: AuthoredOnDemandView,
  name: string,
  input: unknown,
  compiled: CompiledViews,
  mistakes: Mistakes,
): OnDemandInput[] {
  const nameMistake = identifierMistake(name);
  if (nameMistake !== undefined) mistakes.add(view, `input "${name}": ${nameMistake}`);
  const value = resolveLazy(input);
  const object = authored(value);
  switch (object?.kind) {
    case 'view':
    case 'viewMember': {
      const stored = compileStoredMember(view, object, compiled, `input "${name}"`, mistakes);
      return [{ kind: 'view', name, view: stored.view, keyColumns: stored.keyColumns }];
    }
    case 'onDemandView':
      return [{ kind: 'onDemand', name, view: object.name }];
    case 'onDemandMember':
      return [{ kind: 'onDemand', name, view: nameOf(object.view) }];
    case undefined:
      if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
        // compileFields reports what is no column type.
        return [
          {
            kind: 'request',
            name,
            columns: compileFields(value as Columns, view, `input "${name}" column`, columnMistake, mistakes),
          },
        ];
      }
      break;
    default:
  }
  mistakes.add(
    view,
    `input "${name}" must be request columns ({ distance: t.float32() }), a feature view or an on-demand view, got ${describeAuthored(value)}`,
  );
  return [];
}

function nameOf(view: unknown): string {
  const object = authored(view);
  return object !== undefined && 'name' in object ? object.name : '';
}

interface StoredMember {
  readonly view: string;
  readonly role: string;
  readonly keyColumns: readonly string[];
  readonly features: readonly string[];
}

/** A stored view as a service or an on-demand view uses it: in its role, by its request columns, its features picked. */
function compileStoredMember(
  owner: Authored,
  member: Authored & { kind: 'view' | 'viewMember' },
  compiled: CompiledViews,
  where: string,
  mistakes: Mistakes,
): StoredMember {
  const name = member.kind === 'view' ? member.name : nameOf(member.view);
  const spec = compiled.views.get(name);
  const entity = spec === undefined ? undefined : compiled.entities.get(spec.entity);
  const role = member.kind === 'viewMember' ? (member.role ?? name) : name;
  const given = member.kind === 'viewMember' ? member.keys : undefined;
  if (role !== name) {
    const roleMistake = identifierMistake(role);
    if (roleMistake !== undefined) mistakes.add(owner, `${where}: role ${roleMistake}`);
  }
  const keys = entity?.keys ?? [];
  if (given !== undefined && entity !== undefined) {
    const known = keys.map((key) => key.name);
    for (const key of Object.keys(given)) {
      if (!known.includes(key))
        mistakes.add(
          owner,
          `${where}: entity "${entity.name}" of view "${name}" has no key "${key}".${didYouMean(key, known)}`,
        );
    }
    for (const key of known) {
      if (own(given, key) === undefined)
        mistakes.add(
          owner,
          `${where}: no request column for key "${key}" of entity "${entity.name}". Write .as('${role}', { ${key}: '<column>' })`,
        );
    }
  }
  const keyColumns = keys.map((key) => own(given ?? {}, key.name) ?? key.name);
  for (const column of keyColumns) {
    const nameMistake = columnMistake(column);
    if (nameMistake !== undefined) mistakes.add(owner, `${where}: ${nameMistake}`);
  }
  const all = spec?.features.map((feature) => feature.name) ?? [];
  const picked = member.kind === 'viewMember' ? member.picked : undefined;
  return { view: name, role, keyColumns, features: pick(owner, where, name, all, picked, mistakes) };
}

function pick(
  owner: Authored,
  where: string,
  view: string,
  all: readonly string[],
  picked: readonly string[] | undefined,
  mistakes: Mistakes,
): readonly string[] {
  if (picked === undefined) return all;
  if (picked.length === 0)
    mistakes.add(owner, `${where}: pick() picks nothing. Name features of view "${view}", or leave it out`);
  for (const name of picked) {
    // A view whose features did not compile is reported for itself.
    if (all.length > 0 && !all.includes(name))
      mistakes.add(owner, `${where}: view "${view}" has no feature "${name}".${didYouMean(name, all)}`);
  }
  return [...new Set(picked)];
}

export function compileService(
  service: AuthoredService,
  compiled: CompiledViews,
  onDemand: ReadonlyMap<string, OnDemandViewSpec>,
  mistakes: Mistakes,
): ServiceSpec {
  const nameMistake = labelMistake(service.name);
  if (nameMistake !== undefined) mistakes.add(service, nameMistake);
  const written = Array.isArray(service.members) ? service.members : [];
  if (written.length === 0) mistakes.add(service, 'it has no members: list feature views and on-demand views');
  const members = written.flatMap((member: unknown, at): ServiceMember[] => {
    const object = authored(member);
    const where = `member ${at + 1}`;
    switch (object?.kind) {
      case 'view':
      case 'viewMember':
        return [{ kind: 'view', ...compileStoredMember(service, object, compiled, where, mistakes) }];
      case 'onDemandView':
      case 'onDemandMember': {
        const view = object.kind === 'onDemandView' ? object.name : nameOf(object.view);
        const role = object.kind === 'onDemandMember' ? (object.role ?? view) : view;
        const roleMistake = role === view ? undefined : identifierMistake(role);
        if (roleMistake !== undefined) mistakes.add(service, `${where}: role ${roleMistake}`);
        const all = onDemand.get(view)?.features.map((feature) => feature.name) ?? [];
        const picked = object.kind === 'onDemandMember' ? object.picked : undefined;
        return [{ kind: 'onDemand', role, view, features: pick(service, where, view, all, picked, mistakes) }];
      }
      default:
        mistakes.add(service, `${where} must be a feature view or an on-demand view, got ${describeAuthored(member)}`);
        return [];
    }
  });
  checkRoles(service, members, mistakes);
  checkRequestColumns(service, members, compiled, onDemand, mistakes);
  return { ...compileAbout(service, service.about, mistakes), name: service.name, members };
}

function checkRoles(service: AuthoredService, members: readonly ServiceMember[], mistakes: Mistakes): void {
  const roles = new Map<string, ServiceMember>();
  const fullNames = new Map<string, string>();
  for (const member of members) {
    const other = roles.get(member.role.toLowerCase());
    if (other !== undefined) {
      mistakes.add(
        service,
        `two members have the role "${member.role}" (views "${other.view}" and "${member.view}"). Give one another role: .as('<role>', …)`,
      );
      continue;
    }
    roles.set(member.role.toLowerCase(), member);
    for (const feature of member.features) {
      const full = `${member.role}__${feature}`;
      const taken = fullNames.get(full.toLowerCase());
      if (taken !== undefined)
        mistakes.add(
          service,
          `the full name "${full}" of ${member.role}.${feature} is also that of ${taken}. Give one of them another role`,
        );
      fullNames.set(full.toLowerCase(), `${member.role}.${feature}`);
    }
  }
}

// A request column is one value, whoever asks for it: so all must ask for one type, and no feature may have its name.
function checkRequestColumns(
  service: AuthoredService,
  members: readonly ServiceMember[],
  compiled: CompiledViews,
  onDemand: ReadonlyMap<string, OnDemandViewSpec>,
  mistakes: Mistakes,
): void {
  const columns = new Map<string, Field & { readonly by: string }>();
  const add = (field: Field, by: string): void => {
    const known = columns.get(field.name.toLowerCase());
    if (known === undefined) columns.set(field.name.toLowerCase(), { ...field, by });
    else if (known.name !== field.name)
      mistakes.add(
        service,
        `request columns "${known.name}" (${known.by}) and "${field.name}" (${by}) differ only in case. Give them one name`,
      );
    else if (!sameType(known.type, field.type)) {
      mistakes.add(
        service,
        `request column "${field.name}" is ${typeName(known.type)} for ${known.by} and ${typeName(field.type)} for ${by}. Give both one type, or one of them another column`,
      );
    }
  };
  const addStored = (view: string, keyColumns: readonly string[], by: string): void => {
    const keys = compiled.entities.get(compiled.views.get(view)?.entity ?? '')?.keys ?? [];
    keys.forEach((key, at) => {
      const column = keyColumns[at];
      if (column !== undefined) add({ name: column, type: key.type }, by);
    });
  };
  const visited = new Set<string>();
  const addOnDemand = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    for (const input of onDemand.get(name)?.inputs ?? []) {
      if (input.kind === 'request') for (const column of input.columns) add(column, `view "${name}"`);
      else if (input.kind === 'view') addStored(input.view, input.keyColumns, `view "${name}"`);
      else addOnDemand(input.view);
    }
  };
  for (const member of members) {
    if (member.kind === 'view') addStored(member.view, member.keyColumns, `role "${member.role}"`);
    else addOnDemand(member.view);
  }
  for (const member of members) {
    for (const feature of member.features) {
      const full = `${member.role}__${feature}`;
      if (columns.has(full.toLowerCase()))
        mistakes.add(service, `request column "${full}" has the full name of a feature. Give the member another role`);
    }
  }
}

/** Reports each cycle of on-demand views once, under its view of the least name. */
export function refuseCycles(
  views: ReadonlyMap<string, { readonly object: AuthoredOnDemandView; readonly spec: OnDemandViewSpec }>,
  mistakes: Mistakes,
): void {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, path: readonly string[]): void => {
    const view = views.get(name);
    if (view === undefined || state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      const cycle = path.slice(path.indexOf(name));
      mistakes.add(
        view.object,
        `it needs itself: ${[...cycle, name].join(' → ')}. Break the cycle: take the input out of one of them`,
      );
      return;
    }
    state.set(name, 'open');
    for (const input of view.spec.inputs) if (input.kind === 'onDemand') visit(input.view, [...path, name]);
    state.set(name, 'done');
  };
  for (const name of [...views.keys()].sort()) visit(name, []);
}
