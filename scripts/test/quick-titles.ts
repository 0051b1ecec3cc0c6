// The titles of a test file's quick tests, as they are written in it.

import { transformSync } from 'amaro';
import { type AnyNode, type Node, parse } from 'acorn';

/** Of a group or a test, `%s` and `$name` unfilled: below those of the groups around it. */
export type Titles = readonly string[];

const TESTS = new Set(['it', 'test', 'describe']);
/** What leaves a test out: always, or in the quick tier. */
const LEFT_OUT = new Set(['skip', 'todo', 'fails', 'fullIt', 'fullDescribe']);

/** Without what is skipped or belongs to the full tier. */
export function quickTitles(source: string): Titles[] {
  const { code } = transformSync(source, { mode: 'strip-only' });
  const found: Titles[] = [];
  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), { groups: [], aliases: new Map(), found });
  return found;
}

interface Place {
  readonly groups: Titles;
  /** `it`, `runIf` under `onLinux`, for `const onLinux = it.runIf(…)`. */
  readonly aliases: Map<string, readonly string[]>;
  readonly found: Titles[];
}

function visit(node: AnyNode, place: Place): void {
  let { groups } = place;
  if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && node.init != null)
    place.aliases.set(node.id.name, namesOf(node.init, place.aliases));
  if (node.type === 'CallExpression') {
    const names = namesOf(node.callee, place.aliases);
    if (names.some((name) => LEFT_OUT.has(name))) return;
    const title = TESTS.has(names[0] ?? '') ? textOf(node.arguments[0]) : undefined;
    if (title !== undefined) {
      groups = [...groups, title];
      place.found.push(groups);
    }
  }
  // By ESTree's shape: whatever has a type is a node.
  for (const value of Object.values(node) as unknown[])
    for (const item of Array.isArray(value) ? value : [value])
      if (item !== null && typeof item === 'object' && 'type' in item) visit(item as AnyNode, { ...place, groups });
}

/** `it`, `each` of `it.each(rows)`. */
function namesOf(callee: Node, aliases: Place['aliases']): readonly string[] {
  const node = callee as AnyNode;
  switch (node.type) {
    case 'Identifier':
      return aliases.get(node.name) ?? [node.name];
    case 'MemberExpression':
      return [...namesOf(node.object, aliases), ...(node.property.type === 'Identifier' ? [node.property.name] : [])];
    case 'CallExpression':
      return namesOf(node.callee, aliases);
    case 'TaggedTemplateExpression':
      return namesOf(node.tag, aliases);
    default:
      return [];
  }
}

/** What a text literal says; of a template, what it says with its `${…}` as written. */
function textOf(node: Node | undefined): string | undefined {
  const literal = node as AnyNode | undefined;
  if (literal?.type === 'Literal') return typeof literal.value === 'string' ? literal.value : undefined;
  if (literal?.type !== 'TemplateLiteral') return undefined;
  return literal.quasis.map(({ value }) => value.cooked).join('${…}');
}
