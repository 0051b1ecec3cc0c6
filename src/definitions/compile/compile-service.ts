// Feature services: their members, by which request columns and under which full names.

import { type Field, sameType, stringifyJson, typeName } from '../../core/index.ts';
import { type Authored, authored, type AuthoredService } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { OnDemandViewSpec, ServiceMember, ServiceSpec } from '../manifest.ts';
import { keyColumn, sameDefault } from '../request-columns.ts';
import { type CompiledViews, compileStoredMember, nameOf, pick, viewOf } from './compile-members.ts';
import { declaredNames } from './declared.ts';
import { compileAbout } from './fields.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { identifierMistake, labelMistake } from './names.ts';

export function compileService(
  service: AuthoredService,
  compiled: CompiledViews,
  onDemand: ReadonlyMap<string, OnDemandViewSpec>,
  mistakes: Mistakes,
): ServiceSpec {
  const nameMistake = labelMistake(service.name);
  if (nameMistake !== undefined) mistakes.add(service, nameMistake, [0]);
  const written = Array.isArray(service.members) ? service.members : [];
  if (written.length === 0) {
    const came = Array.isArray(service.members) ? '' : `, got ${describeAuthored(service.members)}`;
    mistakes.add(service, `it has no members: list feature views and on-demand views in an array${came}`, [1]);
  }
  // A view whose name another has would seem to be the other a second time.
  const keptMember = (view: Authored, member: ServiceMember): ServiceMember[] =>
    compiled.kept.has(view) ? [member] : [];
  const members = written.flatMap((member: unknown, index): ServiceMember[] => {
    const object = authored(member);
    const where = `member ${index + 1}`;
    const at = [1, index];
    switch (object?.kind) {
      case 'view':
      case 'viewMember':
        return keptMember(viewOf(object), {
          kind: 'view',
          ...compileStoredMember(service, object, compiled, where, at, mistakes),
        });
      case 'onDemandView':
      case 'onDemandMember': {
        const written = viewOf(object);
        const view = nameOf(written);
        const role: unknown = object.kind === 'onDemandMember' ? (object.role ?? view) : view;
        const roleMistake = role === view ? undefined : identifierMistake(role);
        if (roleMistake !== undefined)
          mistakes.add(service, `${where}: role ${roleMistake}`, [...at, { method: 'as' }, 0]);
        const picked = object.kind === 'onDemandMember' ? object.picked : undefined;
        const features = pick(service, where, view, declaredNames(written.features), picked, at, mistakes);
        return keptMember(written, { kind: 'onDemand', role: typeof role === 'string' ? role : view, view, features });
      }
      default:
        mistakes.add(
          service,
          `${where} must be a feature view or an on-demand view, got ${describeAuthored(member)}`,
          at,
        );
        return [];
    }
  });
  checkRoles(service, members, mistakes);
  checkRequestColumns(service, members, compiled, onDemand, mistakes);
  return { ...compileAbout(service, service.about, [2], mistakes), name: service.name, members };
}

function checkRoles(service: AuthoredService, members: readonly ServiceMember[], mistakes: Mistakes): void {
  const roles = new Map<string, ServiceMember>();
  const fullNames = new Map<string, string>();
  for (const [index, member] of members.entries()) {
    const at = [1, index];
    const other = roles.get(member.role.toLowerCase());
    if (other !== undefined) {
      mistakes.add(
        service,
        `two members have the role "${member.role}" (views "${other.view}" and "${member.view}"). Give one another role: .as('<role>', …)`,
        at,
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
          at,
        );
      fullNames.set(full.toLowerCase(), `${member.role}.${feature}`);
    }
  }
}

// A request column is one value, whoever asks for it: so all must ask for one type and one default, and no feature may have
// its name.
function checkRequestColumns(
  service: AuthoredService,
  members: readonly ServiceMember[],
  compiled: CompiledViews,
  onDemand: ReadonlyMap<string, OnDemandViewSpec>,
  mistakes: Mistakes,
): void {
  const columns = new Map<string, Field & { readonly by: string }>();
  const add = (field: Field, by: string, at: Path): void => {
    const known = columns.get(field.name.toLowerCase());
    if (known === undefined) columns.set(field.name.toLowerCase(), { ...field, by });
    else if (known.name !== field.name)
      mistakes.add(
        service,
        `request columns "${known.name}" (${known.by}) and "${field.name}" (${by}) differ only in case. Give them one name`,
        at,
      );
    else if (!sameType(known.type, field.type)) {
      mistakes.add(
        service,
        `request column "${field.name}" is ${typeName(known.type)} for ${known.by} and ${typeName(field.type)} for ${by}. Give both one type, or one of them another column`,
        at,
      );
    } else if (!sameDefault(known, field)) {
      mistakes.add(
        service,
        `request column "${field.name}" has ${showDefault(known)} for ${known.by} and ${showDefault(field)} for ${by}. Give both the same, or one of them another column`,
        at,
      );
    }
  };
  const addStored = (view: string, keyColumns: readonly string[], by: string, member: Path): void => {
    const keys = compiled.entities.get(compiled.views.get(view)?.entity ?? '')?.keys ?? [];
    keys.forEach((key, at) => {
      const column = keyColumns[at];
      if (column !== undefined) add(keyColumn(column, key), by, member);
    });
  };
  const visited = new Set<string>();
  const addOnDemand = (name: string, member: Path): void => {
    if (visited.has(name)) return;
    visited.add(name);
    for (const input of onDemand.get(name)?.inputs ?? []) {
      if (input.kind === 'request') for (const column of input.columns) add(column, `view "${name}"`, member);
      else if (input.kind === 'view') addStored(input.view, input.keyColumns, `view "${name}"`, member);
      else addOnDemand(input.view, member);
    }
  };
  for (const [index, member] of members.entries()) {
    if (member.kind === 'view') addStored(member.view, member.keyColumns, `role "${member.role}"`, [1, index]);
    else addOnDemand(member.view, [1, index]);
  }
  for (const [index, member] of members.entries()) {
    for (const feature of member.features) {
      const full = `${member.role}__${feature}`;
      if (columns.has(full.toLowerCase()))
        mistakes.add(service, `request column "${full}" has the full name of a feature. Give the member another role`, [
          1,
          index,
        ]);
    }
  }
}

function showDefault(field: Field): string {
  return field.default === undefined ? 'no default' : `the default ${stringifyJson(field.default)}`;
}
