// One node of a graph: what it takes from features and other nodes, what it gives, what becomes of a row that it fails.

import { type Field, INVALID, sameType, typeName } from '../../core/index.ts';
import type { AuthoredNode } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { Columns } from '../authoring/column-type.ts';
import { describeResult, fromUser } from '../calling/user-value.ts';
import { nodeId } from '../function-id.ts';
import type { EnsembleNodeSpec, ModelNodeSpec, NodeFailure, NodeSpec, RouterNodeSpec } from '../graph-spec.ts';
import type { FunctionRef, ModelSpec, UserFunction } from '../manifest.ts';
import { own } from '../own.ts';
import { expectKind } from './collect.ts';
import { compileModelInputs, compileNodeInputs, type InputContext } from './compile-node-inputs.ts';
import { compileAbout, compileFields, expectRecord, hasNone, manifestJson } from './fields.ts';
import type { FunctionTable } from './function-table.ts';
import { identifierMistake, showName } from './names.ts';

export interface NodeContext extends InputContext {
  readonly functions: FunctionTable;
}

/** Reports a mistake in a node. */
type Report = (message: string, at: Path) => void;

/** Nodes that it takes from are compiled before; one that is not is in a cycle, which was told. */
export function compileNode(node: AuthoredNode, context: NodeContext): NodeSpec {
  const { mistakes } = context;
  const at: Path = [optionsPlace(node)];
  const report: Report = (message, path) => mistakes.add(node, message, path);
  const nameMistake = identifierMistake(node.name);
  if (nameMistake !== undefined) report(nameMistake, [0]);
  const spec = withoutFailure(node, at, report, context);
  const onFailure = compileFailure(node.options.onFailure, spec.outputs, [...at, 'onFailure'], report);
  const about = compileAbout(node, node.about, at, mistakes);
  return { ...spec, ...about, ...(onFailure === undefined ? {} : { onFailure }) };
}

/** Which argument of its call holds a node's options. */
export function optionsPlace({ nodeKind }: AuthoredNode): number {
  return nodeKind === 'model' || nodeKind === 'ensemble' ? 2 : 1;
}

function withoutFailure(node: AuthoredNode, at: Path, report: Report, context: NodeContext): NodeSpec {
  switch (node.nodeKind) {
    case 'model':
      return compileModelNode(node, at, report, context);
    case 'function': {
      const { name, options } = node;
      const written = options.outputs as Columns | undefined;
      const outputs = compileFields(written, node, 'output', [...at, 'outputs'], identifierMistake, context.mistakes);
      if (hasNone(written))
        report('it has no outputs: name them in `outputs: { score: t.float32() }`', [...at, 'outputs']);
      const inputs = compileNodeInputs(node, at, context);
      return { kind: 'function', name, inputs, outputs, function: functionOf(node, 'run', at, report, context) };
    }
    case 'ensemble':
      return compileEnsemble(node, at, report, context);
    case 'router':
      return compileRouter(node, at, report, context);
  }
}

function functionOf(
  { name, options }: AuthoredNode,
  option: 'run' | 'choose',
  at: Path,
  report: Report,
  { functions }: NodeContext,
): FunctionRef {
  const fn = options[option];
  // What it takes and gives is checked where it is called.
  if (typeof fn === 'function') return functions.add(nodeId(name), fn as UserFunction);
  report(`it needs \`${option}\`: a function of its inputs`, [...at, option]);
  return { id: nodeId(name), hash: '' };
}

function compileModelNode(node: AuthoredNode, at: Path, report: Report, context: NodeContext): ModelNodeSpec {
  const { name, of, options } = node;
  const object = expectKind(of, 'model', node, 'its model', [1], context.mistakes);
  const model: ModelSpec | undefined = object === undefined ? undefined : own(context.parts.models, object.name);
  if (object?.graph !== undefined)
    report(`model "${object.name}" is itself a graph, and graphs stand in no graph: give its nodes`, [1]);
  const { timeoutMs } = options;
  const hasTimeout = typeof timeoutMs === 'number' && Number.isInteger(timeoutMs) && timeoutMs > 0;
  if (timeoutMs !== undefined && !hasTimeout)
    report(`timeoutMs must be a whole number of milliseconds, 1 or more, got ${describeResult(timeoutMs)}`, [
      ...at,
      'timeoutMs',
    ]);
  return {
    kind: 'model',
    name,
    model: model?.name ?? '',
    inputs: model === undefined ? {} : compileModelInputs(node, model, at, context),
    outputs: model?.outputs ?? [],
    ...(hasTimeout ? { timeoutMs } : {}),
  };
}

/** Nodes whose outputs are to be the same; those that are none are reported, and left out. */
function compileAlike(
  node: AuthoredNode,
  given: readonly (readonly [what: string, value: unknown, at: Path])[],
  report: Report,
  context: NodeContext,
): { readonly nodes: readonly NodeSpec[]; readonly outputs: readonly Field[] } {
  const nodes: NodeSpec[] = [];
  for (const [what, value, at] of given) {
    const object = expectKind(value, 'node', node, what, at, context.mistakes);
    const spec = object === undefined ? undefined : context.nodes.get(object);
    if (spec === undefined) continue;
    const [first = spec] = nodes;
    if (!hasSameOutputs(first, spec))
      report(`${what} has other outputs (${showOutputs(spec)}) than node "${first.name}" (${showOutputs(first)})`, at);
    nodes.push(spec);
  }
  return { nodes, outputs: nodes[0]?.outputs ?? [] };
}

function compileEnsemble(node: AuthoredNode, at: Path, report: Report, context: NodeContext): EnsembleNodeSpec {
  const { name, of, options } = node;
  const written: readonly unknown[] = Array.isArray(of) ? of : [];
  if (written.length < 2) report('it takes two members or more: `ensembleNode(name, [slow, fast], { by: … })`', [1]);
  const members = written.map((value, place) => [`member ${place + 1}`, value, [1, place]] as const);
  const { nodes, outputs } = compileAlike(node, members, report, context);
  const { by, weights, minimum = 1 } = options;
  const isKnown = by === 'mean' || by === 'vote';
  if (!isKnown) report(`by must be 'mean' or 'vote', got ${describeResult(by)}`, [...at, 'by']);
  for (const { name: output, type } of isKnown ? outputs : []) {
    const [takes, instead] = by === 'mean' ? [MEANS, VOTES] : [VOTES, MEANS];
    if (takes.kinds.includes(type.kind)) continue;
    const other = instead.kinds.includes(type.kind) ? `. Combine it by '${instead.by}'` : '';
    report(`its members' output "${output}" is ${typeName(type)}, and '${takes.by}' is for ${takes.shown}${other}`, [
      ...at,
      'by',
    ]);
  }
  const isWeights = isPositives(weights) && weights.length === written.length;
  if (weights !== undefined && !isWeights)
    report('weights must be positive numbers, one for each member in their order', [...at, 'weights']);
  const isMinimum =
    typeof minimum === 'number' && Number.isInteger(minimum) && minimum >= 1 && minimum <= Math.max(1, written.length);
  if (!isMinimum)
    report(`minimum must be a whole number from 1 to the number of members, got ${describeResult(minimum)}`, [
      ...at,
      'minimum',
    ]);
  return {
    kind: 'ensemble',
    name,
    members: nodes.map((one) => one.name),
    outputs,
    by: by === 'vote' ? 'vote' : 'mean',
    ...(isWeights ? { weights } : {}),
    minimum: isMinimum ? minimum : 1,
  };
}

const MEANS = { by: 'mean', kinds: ['float32', 'float64', 'vector'], shown: 'float32, float64 and vectors' };
const VOTES = { by: 'vote', kinds: ['bool', 'int32', 'int64', 'string'], shown: 'bool, int32, int64 and string' };

function isPositives(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'number' && Number.isFinite(one) && one > 0);
}

function compileRouter(node: AuthoredNode, at: Path, report: Report, context: NodeContext): RouterNodeSpec {
  const { name, options } = node;
  const here = [...at, 'cases'];
  const written = options.cases ?? {};
  const isRecord = expectRecord(node, 'cases', written, here, context.mistakes);
  if (hasNone(written)) report('it has no cases: name the nodes that may answer in `cases: { short, long }`', here);
  const cases = isRecord ? Object.entries(written) : [];
  const given = cases.map(([one, value]) => [`case ${showName(one)}`, value, [...here, one]] as const);
  const { nodes, outputs } = compileAlike(node, given, report, context);
  return {
    kind: 'router',
    name,
    inputs: compileNodeInputs(node, at, context),
    outputs,
    cases:
      nodes.length === cases.length ? cases.map(([one], place) => ({ name: one, node: nodeAt(nodes, place) })) : [],
    function: functionOf(node, 'choose', at, report, context),
  };
}

const nodeAt = (nodes: readonly NodeSpec[], place: number): string => nodes[place]?.name ?? '';

function hasSameOutputs(one: NodeSpec, other: NodeSpec): boolean {
  return (
    one.outputs.length === other.outputs.length &&
    one.outputs.every(({ name, type }, at) => {
      const output = other.outputs[at];
      return output?.name === name && sameType(output.type, type);
    })
  );
}

function showOutputs({ outputs }: NodeSpec): string {
  return outputs.map(({ name, type }) => `${name} ${typeName(type)}`).join(', ');
}

/** Undefined: the row fails. */
function compileFailure(
  written: unknown,
  outputs: readonly Field[],
  at: Path,
  report: Report,
): NodeFailure | undefined {
  if (written === undefined || written === 'fail') return undefined;
  if (written === 'skip') return { kind: 'skip' };
  const given = written !== null && typeof written === 'object' && 'outputs' in written ? written.outputs : undefined;
  if (given === null || typeof given !== 'object') {
    report(
      `onFailure must be 'fail', 'skip' or the outputs that stand in, as in { outputs: { score: 0 } }, got ${describeResult(written)}`,
      at,
    );
    return undefined;
  }
  const standIns = new Map<string, unknown>(Object.entries(given));
  const values = outputs.map(({ name, type }): unknown => {
    const value = standIns.has(name) ? fromUser(type, standIns.get(name)) : INVALID;
    if (value !== INVALID) return manifestJson(type, value);
    const came = standIns.has(name) ? `, got ${describeResult(standIns.get(name))}` : '';
    report(`onFailure: the output ${showName(name)} that stands in must be ${typeName(type)} or null${came}`, [
      ...at,
      'outputs',
      name,
    ]);
    return null;
  });
  return { kind: 'outputs', values };
}
