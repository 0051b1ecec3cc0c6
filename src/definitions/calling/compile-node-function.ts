// The functions of a graph's nodes at work: one that gives outputs, one that names the case that answers.

import type { Field, Value } from '../../core/index.ts';
import type { FunctionNodeSpec, RouterNodeSpec } from '../graph-spec.ts';
import type { UserFunction } from '../manifest.ts';
import { compileChoice, compileRowFunction, type GiveInputs, type RowInput } from './compile-row-function.ts';

/** `fieldsOf`: the outputs of a node by name. The call throws HR_TRANSFORM_FAILED, as transforms' does. */
export function compileNodeFunction(
  node: FunctionNodeSpec,
  fn: UserFunction,
  fieldsOf: (node: string) => readonly Field[],
): GiveInputs<Value[]> {
  return compileRowFunction(RUN, titleOf(node), fn, inputsOf(node, fieldsOf), node.outputs);
}

/** Gives the place of the case. */
export function compileRouterFunction(
  node: RouterNodeSpec,
  fn: UserFunction,
  fieldsOf: (node: string) => readonly Field[],
): GiveInputs<number> {
  const choices = node.cases.map(({ name }) => name);
  return compileChoice(CHOOSE, titleOf(node), fn, inputsOf(node, fieldsOf), choices);
}

const RUN = { called: 'run', gives: 'output' };
const CHOOSE = { called: 'choose', gives: 'case' };

function titleOf({ name }: { readonly name: string }): string {
  return `node "${name}"`;
}

function inputsOf(
  { inputs }: FunctionNodeSpec | RouterNodeSpec,
  fieldsOf: (node: string) => readonly Field[],
): readonly RowInput[] {
  return inputs.map((input) => ({
    name: input.name,
    fields: input.kind === 'node' ? fieldsOf(input.node) : input.features,
    isRequest: false,
  }));
}
