// A pipeline that comes as a document, written elsewhere: what the compile step would have seen to is checked again before anyone
// goes by it.

import { Compile } from 'typebox/compile';
import { HeadraceError } from '../../core/index.ts';
import type { GroupSpec, PipelineSpec, StepSpec } from '../pipeline-spec.ts';
import { findCircles } from './circles.ts';
import { labelMistake } from './names.ts';
import { pipelineSchema } from './pipeline-schema.ts';

const validator = Compile(pipelineSchema);

/** The value as a pipeline whose names, needs, groups and order hold. Throws HR_INVALID that says what does not. */
export function checkPipeline(value: unknown): PipelineSpec {
  if (!validator.Check(value)) {
    const [first] = validator.Errors(value);
    throw invalidPipeline(`${first?.instancePath ?? ''} ${first?.message ?? 'does not fit its schema'}`.trim());
  }
  const pipeline = value as PipelineSpec; // the schema is that type's
  const [mistake] = mistakesOf(pipeline);
  if (mistake !== undefined) throw invalidPipeline(mistake);
  return pipeline;
}

function invalidPipeline(what: string): HeadraceError {
  return new HeadraceError('HR_INVALID', `the pipeline is none that can be run: ${what}`);
}

type Member = StepSpec | GroupSpec;

function* mistakesOf({ steps, groups = [] }: PipelineSpec): Generator<string> {
  const members: readonly Member[] = [...groups, ...steps];
  const byName = new Map<string, Member>();
  for (const member of members) {
    const mistake = labelMistake(member.name);
    if (mistake !== undefined) yield mistake;
    if (byName.has(member.name)) yield `two of its steps or groups are named "${member.name}"`;
    byName.set(member.name, member);
  }
  const names = new Set(groups.map(({ name }) => name));
  for (const { name, in: group } of members)
    if (group !== undefined && !names.has(group)) yield `"${name}" lies in the group "${group}", which it has not`;
  for (const member of members)
    for (const need of neededBy(member))
      if (!byName.has(need)) yield `"${member.name}" needs "${need}", which it has not`;
  for (const { name, last } of groups)
    if (byName.get(last)?.in !== name) yield `the group "${name}" ends with "${last}", which does not lie in it`;
  for (const circle of findCircles(waitsOf(members)))
    yield `its steps need each other in a circle: ${circle.join(' → ')}`;
  // From here on groups are known to lie in one another.
  const aroundOf = (name: string | undefined): readonly string[] =>
    name === undefined ? [] : [...aroundOf(byName.get(name)?.in), name];
  for (const member of members) {
    const around = aroundOf(member.in);
    for (const need of neededBy(member)) {
      const other = aroundOf(byName.get(need)?.in);
      if (other.some((group, depth) => around[depth] !== group))
        yield `"${member.name}" needs "${need}", which lies in a group that it does not lie in`;
    }
  }
}

function neededBy(member: Member): readonly string[] {
  const over = member.foreach?.kind === 'result' ? [member.foreach.of] : [];
  if (!('action' in member)) return over;
  const gates = [member.when, member.unless].filter((gate) => gate !== undefined);
  return [...Object.values(member.needs), ...over, ...gates];
}

function waitsOf(members: readonly Member[]): Map<string, string[]> {
  const waits = new Map(members.map((member) => [member.name, [...neededBy(member)]]));
  for (const { name, in: group } of members) if (group !== undefined) waits.get(group)?.push(name);
  return waits;
}
