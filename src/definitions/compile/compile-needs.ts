// The edges of a pipeline's graph: what a step or group needs, by what it is let through, and over what it runs.

import { authored, type AuthoredStep } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { own } from '../own.ts';
import type { Foreach, StepSpec } from '../pipeline-spec.ts';
import { expectRecord } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { dataMistake, identifierMistake, showName } from './names.ts';
import { type Member, neededMember, type PipelineMembers, type Report, titleOfMember } from './pipeline-members.ts';
import { findNotPlain } from './plain-data.ts';

/** Tasks are counted, and numbered, by 32 bits. */
const MOST_TASKS = 2 ** 31;

/** What a step waits for. A step that is only its `foreach`, `when` or `unless` is among the needs under its own name. */
export function compileNeeds(
  pipeline: Parameters<Mistakes['add']>[0],
  step: AuthoredStep,
  members: PipelineMembers,
  report: Report,
  mistakes: Mistakes,
): Pick<StepSpec, 'needs' | 'foreach' | 'when' | 'unless'> {
  const { options } = step;
  const written = options.needs ?? {};
  const needs: Record<string, string> = {};
  const title = `${titleOfMember(step)}: needs`;
  if (expectRecord(pipeline, title, written, [2, 'needs'], mistakes, step)) {
    for (const [name, value] of Object.entries(written)) {
      const at = [2, 'needs', name];
      const nameMistake = identifierMistake(name);
      if (nameMistake !== undefined) report(`: need ${nameMistake}`, at);
      const needed = neededMember(step, `need ${showName(name)}`, value, at, members, report);
      if (needed !== undefined) needs[name] = needed;
    }
  }
  const add = (role: string, needed: string): void => addNeed(needs, role, needed, members, report);
  const foreach = compileForeach(step, options.foreach, [2, 'foreach'], members, report);
  if (foreach?.kind === 'result') add('foreach', foreach.of);
  const gate = (role: 'when' | 'unless'): string | undefined => {
    if (options[role] === undefined) return undefined;
    const needed = neededMember(step, role, options[role], [2, role], members, report);
    if (needed === undefined) return undefined;
    const gives = members.byName.get(needed);
    if (gives?.kind === 'group' || (gives?.kind === 'step' && gives.options.foreach !== undefined))
      report(
        `: ${role} goes by ${titleOfMember(gives)}, which gives an array, and no true or false. Let a step say which it is`,
        [2, role],
      );
    add(role, needed);
    return needed;
  };
  const [when, unless] = [gate('when'), gate('unless')];
  if (options.when !== undefined && options.unless !== undefined)
    report(' has both when and unless. Take one of them out', [2, 'unless']);
  return {
    needs,
    ...(foreach === undefined ? {} : { foreach }),
    ...(when === undefined ? {} : { when }),
    ...(unless === undefined ? {} : { unless }),
  };
}

function addNeed(
  needs: Record<string, string>,
  role: string,
  needed: string,
  members: PipelineMembers,
  report: Report,
): void {
  if (Object.values(needs).includes(needed)) return;
  const other = own(needs, needed);
  if (other !== undefined) {
    const kinds = [other, needed].map((name) => members.byName.get(name)?.kind ?? 'step');
    report(
      `: need "${needed}" is ${kinds[0]} "${other}", and ${role} takes that name for ${kinds[1]} "${needed}". Rename the need`,
      [2, 'needs', needed],
    );
  }
  needs[needed] = needed;
}

/** Over what a step or a group runs; `at` is where that stands. */
export function compileForeach(
  owner: Member,
  foreach: unknown,
  at: Path,
  members: PipelineMembers,
  report: Report,
): Foreach | undefined {
  const kind = authored(foreach)?.kind;
  if (owner.kind === 'step' && foreach === undefined) return undefined;
  if (kind === 'step' || kind === 'group') {
    const of = neededMember(owner, 'foreach', foreach, at, members, report);
    return of === undefined ? undefined : { kind: 'result', of };
  }
  const given: Foreach | undefined = Array.isArray(foreach)
    ? { kind: 'items', items: foreach }
    : (foreach as { foreach?: Foreach } | null | undefined)?.foreach;
  const mistake = dataMistake(given);
  if (mistake !== undefined) report(`: foreach: ${mistake}`, at);
  switch (given?.kind) {
    case 'items':
      checkItems(given.items, at, report);
      return given;
    case 'grid':
      checkGrid(given.axes, at, report);
      return given;
    case 'range': {
      const { start, end } = given;
      if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || end < start) {
        const came = `${describeResult(start)} and ${describeResult(end)}`;
        report(`: range(start, end) needs whole numbers, the end not below the start, got ${came}`, at);
      } else checkCount(end - start, at, report);
      return given;
    }
    default:
      report(': foreach must be an array, grid({ … }), range(n), a step or a group', at);
      return undefined;
  }
}

/** An axis without values is no mistake: there is nothing to do then. */
function checkGrid(axes: unknown, at: Path, report: Report): void {
  const all = Object.entries(axes ?? {});
  const isGrid = !Array.isArray(axes) && all.length > 0 && all.every(([, values]) => Array.isArray(values));
  if (!isGrid) report(': its grid needs an array for each axis: grid({ trees: [100, 200] })', at);
  let count = 1;
  for (const [axis, values] of all) {
    if (!Array.isArray(values)) continue;
    checkItems(values, [...at, 0, axis], report);
    count *= values.length;
  }
  checkCount(count, at, report);
}

function checkItems(items: readonly unknown[], at: Path, report: Report): void {
  for (let index = 0; index < items.length; index++) {
    const found = findNotPlain(items[index]);
    if (found === undefined) continue;
    const came = `${describeResult(found.value)} in item ${index}${found.path === '' ? '' : ` at ${found.path}`}`;
    report(`: the items of foreach must be plain JSON data, got ${came}`, [...at, index]);
    return;
  }
}

function checkCount(count: number, at: Path, report: Report): void {
  if (count > MOST_TASKS)
    report(`: foreach is over ${count} items, and ${MOST_TASKS} is the most. Let each take several`, at);
}
