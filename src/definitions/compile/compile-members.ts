// A stored view as services and on-demand views use it: in a role, by request columns, with the features picked.

import { didYouMean } from '../../core/index.ts';
import type {
  Authored,
  AuthoredObject,
  AuthoredOnDemandView,
  AuthoredView,
  AuthoredViewMember,
} from '../authoring/authored.ts';
import { AUTHORED } from '../authoring/authored-mark.ts';
import type { Path } from '../authoring/call.ts';
import type { EntitySpec, ViewSpec } from '../manifest.ts';
import { own } from '../own.ts';
import { declaredNames } from './declared.ts';
import { expectRecord } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { columnMistake, identifierMistake, showName, suggest } from './names.ts';

/** What is compiled already, by name. */
export interface CompiledViews {
  readonly entities: ReadonlyMap<string, EntitySpec>;
  readonly views: ReadonlyMap<string, ViewSpec>;
  /** The objects that these are of. What has a name that another has is not among them. */
  readonly kept: ReadonlySet<Authored>;
}

interface StoredMember {
  readonly view: string;
  readonly role: string;
  readonly keyColumns: readonly string[];
  readonly features: readonly string[];
}

/** A stored view as a service or an on-demand view uses it: in its role, by its request columns, its features picked. */
export function compileStoredMember(
  owner: Authored,
  member: AuthoredView | AuthoredViewMember,
  compiled: CompiledViews,
  where: string,
  at: Path,
  mistakes: Mistakes,
): StoredMember {
  const view = viewOf(member);
  const name = nameOf(view);
  const spec = compiled.kept.has(view) ? compiled.views.get(name) : undefined;
  const entity = spec === undefined ? undefined : compiled.entities.get(spec.entity);
  const role: unknown = member.kind === 'viewMember' ? (member.role ?? name) : name;
  const written = member.kind === 'viewMember' ? member.keys : undefined;
  const atRole = [...at, { method: 'as' }, 0];
  const atKeys = [...at, { method: 'as' }, 1];
  const given =
    written === undefined || !expectRecord(owner, `${where}: the keys of .as(…)`, written, atKeys, mistakes)
      ? undefined
      : written;
  if (role !== name) {
    const roleMistake = identifierMistake(role);
    if (roleMistake !== undefined) mistakes.add(owner, `${where}: role ${roleMistake}`, atRole);
  }
  const keys = entity?.keys ?? [];
  if (given !== undefined && entity !== undefined) {
    const known = declaredNames(view.entity[AUTHORED].keys);
    for (const key of Object.keys(given)) {
      if (!known.includes(key))
        mistakes.add(
          owner,
          `${where}: entity "${entity.name}" of view "${name}" has no key ${showName(key)}.${didYouMean(key, known)}`,
          [...atKeys, key],
        );
    }
    for (const key of known) {
      if (own(given, key) === undefined)
        mistakes.add(
          owner,
          `${where}: no request column for key "${key}" of entity "${entity.name}". Write .as('${typeof role === 'string' ? role : name}', { ${key}: '<column>' })`,
          atKeys,
        );
    }
  }
  const keyColumns = keys.map((key) => {
    const column: unknown = own(given ?? {}, key.name) ?? key.name;
    const nameMistake = columnMistake(column);
    if (nameMistake !== undefined) mistakes.add(owner, `${where}: ${nameMistake}`, [...atKeys, key.name]);
    return typeof column === 'string' ? column : key.name;
  });
  const all = declaredNames(view.features);
  const picked = member.kind === 'viewMember' ? member.picked : undefined;
  return {
    view: name,
    role: typeof role === 'string' ? role : name,
    keyColumns,
    features: pick(owner, where, name, all, picked, at, mistakes),
  };
}

/** The view that a member is, or is made of. */
export function viewOf<V extends AuthoredView | AuthoredOnDemandView>(
  member: V | { readonly kind: `${'view' | 'onDemand'}Member`; readonly view: AuthoredObject<V> },
): V {
  return 'view' in member ? member.view[AUTHORED] : member;
}

/** The picked features, all of them where none is picked. `at` leads to the member. */
export function pick(
  owner: Authored,
  where: string,
  view: string,
  all: readonly string[],
  picked: readonly string[] | undefined,
  at: Path,
  mistakes: Mistakes,
): readonly string[] {
  if (picked === undefined) return all;
  const call = [...at, { method: 'pick' }];
  if (picked.length === 0)
    mistakes.add(owner, `${where}: pick() picks nothing. Name features of view "${view}", or leave it out`, call);
  for (const [index, name] of picked.entries()) {
    // A view without features is reported for itself.
    if (all.length > 0 && !all.includes(name))
      mistakes.add(owner, `${where}: view "${view}" has no feature ${showName(name)}.${suggest(name, all)}`, [
        ...call,
        index,
      ]);
  }
  return [...new Set(picked.filter((name) => all.includes(name)))];
}

/** An object's name; a name that is no text is refused where the object is collected. */
export function nameOf(object: Authored | undefined): string {
  return object !== undefined && 'name' in object && typeof object.name === 'string' ? object.name : '';
}
