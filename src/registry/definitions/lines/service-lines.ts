// What differs in a service: its members, by their roles.

import { type Manifest, own, type ServiceMember, type ServiceSpec } from '../../../definitions/index.ts';
import { type Renames, renamedFeatures } from '../renames.ts';
import { becomes, type ChangeLine, line } from './change-line.ts';
import { listLines } from './field-lines.ts';
import { restLines } from './rest-lines.ts';
import { showNames } from './show.ts';

type Member = ServiceMember & { readonly name: string };

export function serviceLines(
  was: ServiceSpec,
  is: ServiceSpec,
  before: Manifest,
  after: Manifest,
  renames: Renames,
): ChangeLine[] {
  return [
    ...listLines(was.members.map(byRole), is.members.map(byRole), {
      what: 'member',
      show: ({ features }) => showNames(features),
      renamed: renamedRoles(was, is, renames),
      isOrdered: true,
      differences: (one, other, title) => [
        ...becomes('meaning', `${title}: view`, laterView(one, renames), other.view),
        ...becomes('meaning', `${title}: keys`, showKeys(one), showKeys(other)),
        ...pickedLines(one, other, title, renamedPicks(one, other, before, after)),
      ],
    }),
    ...restLines(was, is, ['members']),
  ];
}

function byRole(member: ServiceMember): Member {
  return { ...member, name: member.role };
}

// A view that has no role of its own gives its name to the features: then they follow it.
function renamedRoles(was: ServiceSpec, is: ServiceSpec, renames: Renames): ReadonlyMap<string, string> {
  const roles = new Set(is.members.map(({ role }) => role));
  return new Map(
    was.members.flatMap((member) => {
      const later = laterView(member, renames);
      const follows = member.role === member.view && later !== member.view && !roles.has(member.role);
      return follows && roles.has(later) ? [[member.role, later] as const] : [];
    }),
  );
}

function laterView({ kind, view }: ServiceMember, renames: Renames): string {
  return renames.later(kind === 'view' ? 'view' : 'onDemandView', view) ?? view;
}

function renamedPicks(
  one: ServiceMember,
  other: ServiceMember,
  before: Manifest,
  after: Manifest,
): ReadonlyMap<string, string> {
  if (one.kind !== 'view' || other.kind !== 'view') return new Map();
  const [was, is] = [own(before.views, one.view), own(after.views, other.view)];
  return was === undefined || is === undefined ? new Map() : renamedFeatures(was.features, is.features);
}

function showKeys(member: ServiceMember): string {
  return member.kind === 'view' ? showNames(member.keyColumns) : '()';
}

function pickedLines(
  { features: was }: ServiceMember,
  { features: is }: ServiceMember,
  title: string,
  renamed: ReadonlyMap<string, string>,
): ChangeLine[] {
  const later = was.map((name) => renamed.get(name) ?? name);
  const [old, next] = [new Set(later), new Set(is)];
  const lines = [
    ...was.flatMap((name, at) => {
      const now = later[at] ?? name;
      if (!next.has(now)) return [line('meaning', `${title}: - ${name}`)];
      return now === name ? [] : [line('name', `${title}: ${name} is called ${now} now`)];
    }),
    ...is.filter((name) => !old.has(name)).map((name) => line('meaning', `${title}: + ${name}`)),
  ];
  const [stayed, order] = [later.filter((name) => next.has(name)), is.filter((name) => old.has(name))];
  if (stayed.join() !== order.join()) lines.push(line('about', `${title}: order ${order.join(', ')}`));
  return lines;
}
