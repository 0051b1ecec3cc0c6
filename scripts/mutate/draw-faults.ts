// Small faults in the code of a source, as a slip of a hand would make them: each is one edit of its text.

import { transformSync } from 'amaro';
import { type AnyNode, type Node, parse } from 'acorn';

/** Replaces the text from `from` to `to`, which are offsets in characters. */
export interface Edit {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const OTHER = Object.fromEntries(
  ['< <=', '<= <', '> >=', '>= >', '=== !==', '!== ===', '+ -', '- +'].map((pair) => pair.split(' ')),
) as Readonly<Record<string, string>>;

/** All that may be drawn from; some of it does not compile. */
export function faultsOf(source: string): Edit[] {
  // Types become blanks, so that offsets are those of the source.
  const { code } = transformSync(source, { mode: 'strip-only' });
  const edits: Edit[] = [];
  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => edits.push(...editsOf(node, source)));
  return edits;
}

function editsOf(node: AnyNode, source: string): Edit[] {
  const text = ({ start, end }: Node): string => source.slice(start, end);
  const edit = (kind: string, text: string, at: Node = node): Edit => ({ kind, from: at.start, to: at.end, text });
  switch (node.type) {
    case 'BinaryExpression': {
      const { left, right, operator } = node;
      const isNumber = [left, right].some((side) => side.type === 'Literal' && typeof side.value === 'number');
      // What else is added may be texts.
      const other = operator === '+' && !isNumber ? undefined : OTHER[operator];
      const between = source.slice(left.end, right.start);
      return other === undefined ? [] : [edit(operator, text(left) + between.replace(operator, other) + text(right))];
    }
    case 'LogicalExpression':
      return [edit(`${node.operator} dropped`, text(node.left)), edit(`${node.operator} dropped`, text(node.right))];
    case 'Literal':
      return Number.isSafeInteger(node.value) ? [edit('+1', String(Number(node.value) + 1))] : [];
    case 'UnaryExpression':
      return node.operator === '!' ? [edit('! dropped', text(node.argument))] : [];
    case 'ExpressionStatement': {
      const { expression } = node;
      if (!['CallExpression', 'AwaitExpression', 'AssignmentExpression'].includes(expression.type)) return [];
      const unawaited =
        expression.type === 'AwaitExpression' ? [edit('await dropped', `void ${text(expression.argument)};`)] : [];
      return [edit('statement dropped', ';'), ...unawaited];
    }
    case 'IfStatement':
      return node.alternate == null ? [edit('guard dropped', ';')] : [];
    case 'CallExpression':
      return node.arguments.slice(1).flatMap((second, index) => {
        // There is one before each but the first.
        const first = node.arguments[index] as Node;
        const isSame = first.type !== second.type || text(first) === text(second);
        return isSame
          ? []
          : [edit('arguments swapped', `${text(second)}, ${text(first)}`, { ...first, end: second.end })];
      });
    default:
      return [];
  }
}

function visit(node: AnyNode, take: (node: AnyNode) => void): void {
  take(node);
  // By ESTree's shape: whatever has a type is a node.
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value])
      if (typeof (child as Partial<AnyNode> | null)?.type === 'string') visit(child as AnyNode, take);
}
