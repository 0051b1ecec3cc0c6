// What a transform can be seen to read of its inputs: then a change of the rest is none of its features.

import type { ModuleGraph } from './module-graph.ts';
import { addPattern, addUse, functionAt, usesArguments, usesOf } from './read-columns.ts';
import type { SourceModule } from './source-module.ts';
import { keyName, memberName, type Node } from './syntax.ts';

/** Sorted: `origin.mean_7d`, or `origin` where it may read all of it; undefined when it may read any input. */
export function readInputs(graph: ModuleGraph, module: SourceModule, node: Node): readonly string[] | undefined {
  const found = functionAt(graph, module, node);
  if (found === undefined) return undefined;
  const fn = found.node;
  if (fn.type !== 'ArrowFunctionExpression' && usesArguments(fn)) return undefined;
  const [param] = fn.params;
  if (param === undefined) return [];
  const reads = new Set<string>();
  const add = (input: string, isSeen: (columns: Set<string>) => boolean): void => {
    const columns = new Set<string>();
    if (!isSeen(columns)) reads.add(input);
    else for (const column of columns) reads.add(`${input}.${column}`);
  };
  const used = (uses: readonly Node[] | undefined, columns: Set<string>): boolean =>
    // What a function reads of one input it may have read of another: each is looked at anew.
    uses?.every((use) => addUse(graph, found.module, use, columns, new Set())) ?? false;

  /** `{ request, origin: { mean_7d } }` */
  const addInputs = (pattern: Extract<Node, { type: 'ObjectPattern' }>): boolean =>
    pattern.properties.every((property) => {
      const input = property.type === 'Property' && !property.computed ? keyName(property.key) : undefined;
      if (property.type !== 'Property' || input === undefined) return false;
      const { value } = property;
      add(input, (columns) => {
        if (value.type === 'ObjectPattern') return addPattern(value, columns);
        return value.type === 'Identifier' && used(usesOf(fn, value.name, value), columns);
      });
      return true;
    });

  /** `inputs.origin.mean_7d`, `const { origin } = inputs` */
  const addInput = (use: Node): boolean => {
    const parent = found.module.parents.get(use);
    if (parent?.type === 'VariableDeclarator' && parent.init === use && parent.id.type === 'ObjectPattern')
      return addInputs(parent.id);
    const input = parent?.type === 'MemberExpression' && parent.object === use ? memberName(parent) : undefined;
    if (parent === undefined || input === undefined || input in Object.prototype) return false;
    add(input, (columns) => used([parent], columns));
    return true;
  };

  const isKnown =
    param.type === 'ObjectPattern'
      ? addInputs(param)
      : param.type === 'Identifier' && (usesOf(fn, param.name)?.every(addInput) ?? false);
  return isKnown ? [...reads].filter((read) => !reads.has(inputOf(read)) || read === inputOf(read)).sort() : undefined;
}

function inputOf(read: string): string {
  return read.split('.', 1)[0] ?? read;
}
