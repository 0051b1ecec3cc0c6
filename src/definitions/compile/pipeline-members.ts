// The steps and groups of a pipeline by name, and which of them one may need: those around it, and those beside it.

import { didYouMean } from '../../core/index.ts';
import { authored, type AuthoredGroup, type AuthoredStep } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { showName } from './names.ts';

/** Tells a mistake of a step or group: how the sentence goes on after its name, and where in its call it is. */
export type Report = (message: string, path: Path) => void;

export type Member = AuthoredStep | AuthoredGroup;

export interface PipelineMembers {
  readonly steps: readonly AuthoredStep[];
  readonly groups: readonly AuthoredGroup[];
  readonly byName: ReadonlyMap<string, Member>;
  readonly all: ReadonlySet<Member>;
}

/** `step "fit"`. */
export function titleOfMember({ kind, name }: Member): string {
  return `${kind} ${showName(name)}`;
}

/** The groups around a member, the innermost first. */
export function groupsAround(member: Member): AuthoredGroup[] {
  const groups: AuthoredGroup[] = [];
  for (let group = member.in; group !== undefined; group = group.in) groups.push(group);
  return groups;
}

/** The name of the step or group that `owner` needs, where it may. `what`: `need "rows"`, `when`. */
export function neededMember(
  owner: Member,
  what: string,
  value: unknown,
  at: Path,
  members: PipelineMembers,
  report: Report,
): string | undefined {
  const object = authored(value);
  const given = object?.kind === 'step' || object?.kind === 'group' ? object : undefined;
  // Refused for itself.
  if (given !== undefined && typeof given.name !== 'string') return undefined;
  const name = typeof value === 'string' ? value : given?.name;
  const known = name === undefined ? undefined : members.byName.get(name);
  if (name === undefined) {
    report(`: ${what} must be a step or a group: what .step(…) or .foreach(…) gave`, at);
  } else if (known === undefined) {
    const suggestion = didYouMean(name, members.byName.keys());
    report(` needs ${showName(name)}, which is no step or group of this pipeline.${suggestion}`, at);
  } else if (given !== undefined && !members.all.has(given)) {
    const other = showName(given.pipeline);
    report(`: ${what} is a ${given.kind} of pipeline ${other}. Add a step to this pipeline`, at);
  } else {
    const mistake = outOfReach(owner, given ?? known);
    if (mistake === undefined) return name;
    report(` needs ${titleOfMember(given ?? known)}, ${mistake}`, at);
  }
  return undefined;
}

function outOfReach(owner: Member, needed: Member): string | undefined {
  const around = new Set<Member>(groupsAround(owner));
  if (around.has(needed)) return 'which it is in itself. In a group need the steps before it';
  const hiding = groupsAround(needed).filter((group) => !around.has(group));
  const outermost = hiding.at(-1);
  if (outermost === undefined) return undefined;
  if (outermost === owner) return 'which is in it. Its items come from outside';
  const group = showName(outermost.name);
  return `which is in group ${group}. From outside need group ${group}: it gives the array of its last step's results`;
}
