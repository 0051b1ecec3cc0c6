// Small faults in the code of a source, as a slip of a hand would make them: each is one edit of its text.

import { transformSync } from 'amaro';
import { type AnyNode, type CallExpression, type Node, parse } from 'acorn';

/** Replaces the text from `from` to `to`, which are offsets in characters. */
export interface Fault {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const COMPARED: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
};

/** All that may be drawn from, in the order of the text; some of it does not compile. */
export function faultsOf(source: string): Fault[] {
  // Types become blanks, so that offsets are those of the source.
  const code = transformSync(source, { mode: 'strip-only' }).code;
  const faults: Fault[] = [];
  const text = (node: Node): string => source.slice(node.start, node.end);
  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => {
    const add = (kind: string, to: string): void => {
      faults.push({ kind, from: node.start, to: node.end, text: to });
    };
    switch (node.type) {
      case 'BinaryExpression': {
        const { left, right, operator } = node;
        const other = COMPARED[operator];
        const between = source.slice(left.end, right.start);
        const replaced = (by: string): string => `${text(left)}${between.replace(operator, by)}${text(right)}`;
        if (other !== undefined) add('comparison', replaced(other));
        const isNumber = [left, right].some((side) => side.type === 'Literal' && typeof side.value === 'number');
        if (operator === '+' && isNumber) add('±1', replaced('-'));
        if (operator === '-') add('±1', replaced('+'));
        break;
      }
      case 'LogicalExpression':
        add(`${node.operator} without its right side`, text(node.left));
        add(`${node.operator} without its left side`, text(node.right));
        break;
      case 'Literal':
        if (typeof node.value === 'number' && Number.isSafeInteger(node.value)) add('±1', String(node.value + 1));
        break;
      case 'UnaryExpression':
        if (node.operator === '!') add('negation', text(node.argument));
        break;
      case 'ConditionalExpression':
        add('branches', `${text(node.test)} ? ${text(node.alternate)} : ${text(node.consequent)}`);
        break;
      case 'ExpressionStatement':
        if (['CallExpression', 'AwaitExpression', 'AssignmentExpression'].includes(node.expression.type))
          add('dropped statement', ';');
        if (node.expression.type === 'AwaitExpression') add('dropped await', `void ${text(node.expression.argument)};`);
        break;
      case 'IfStatement':
        if (node.alternate == null && node.consequent.type === 'ReturnStatement') add('dropped guard', ';');
        break;
      case 'CallExpression':
        faults.push(...swaps(node, text));
        break;
    }
  });
  return faults.sort((a, b) => a.from - b.from || a.to - b.to || a.text.localeCompare(b.text));
}

/** Neighbouring arguments change places; where their types differ, it does not compile. */
function swaps({ arguments: words }: CallExpression, text: (node: Node) => string): Fault[] {
  return words.slice(1).flatMap((second, index) => {
    const first = words[index];
    const isPlain = (node: AnyNode | undefined): node is AnyNode =>
      node?.type === 'Identifier' || node?.type === 'MemberExpression';
    if (!isPlain(first) || !isPlain(second) || text(first) === text(second)) return [];
    return [{ kind: 'swapped arguments', from: first.start, to: second.end, text: `${text(second)}, ${text(first)}` }];
  });
}

function visit(node: AnyNode, take: (node: AnyNode) => void): void {
  take(node);
  // By ESTree's shape: whatever has a type is a node.
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value])
      if (typeof (child as Partial<AnyNode> | null)?.type === 'string') visit(child as AnyNode, take);
}

/** Numbers from 0 to 1, the same for the same seed (Mulberry32). */
export function randomBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
