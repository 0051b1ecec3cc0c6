// What a node takes: features of the graph's service by full name, outputs of other nodes; each of a type that fits.

import { type DataType, didYouMean, type Field, sameType, typeName } from '../../core/index.ts';
import { authored, type AuthoredNode } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { Columns } from '../authoring/column-type.ts';
import type { ModelNodeSpec, NodeInput, NodeSource, NodeSpec } from '../graph-spec.ts';
import type { Manifest, ModelSpec } from '../manifest.ts';
import { resolveService } from '../resolve-service.ts';
import { isNodeOutput } from './collect.ts';
import { compileFields, expectRecord, hasNone } from './fields.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { columnMistake, identifierMistake, showName, suggest } from './names.ts';

export interface InputContext {
  /** The graph's. */
  readonly service: string;
  /** Of the service, by full name. */
  readonly features: ReadonlyMap<string, Field>;
  readonly nodes: Map<AuthoredNode, NodeSpec>;
  readonly parts: Omit<Manifest, 'endpoints'>;
  readonly mistakes: Mistakes;
}

/** What the function of a node gets, by name. */
export function compileNodeInputs(node: AuthoredNode, at: Path, context: InputContext): NodeInput[] {
  const { mistakes, nodes } = context;
  const written = node.options.inputs ?? {};
  const here = [...at, 'inputs'];
  if (!expectRecord(node, 'inputs', written, here, mistakes)) return [];
  if (hasNone(written))
    mistakes.add(node, 'it has no inputs: list features or nodes in `inputs: { features: { … }, slow }`', here);
  return Object.entries(written).flatMap(([name, input]): NodeInput[] => {
    const where = [...here, name];
    const nameMistake = identifierMistake(name);
    if (nameMistake !== undefined) mistakes.add(node, `input ${showName(name)}: ${nameMistake}`, where);
    const object = authored(input);
    if (object?.kind === 'node') {
      const before = nodes.get(object);
      return before === undefined ? [] : [{ kind: 'node', name, node: before.name }];
    }
    if (object !== undefined || input === null || typeof input !== 'object' || Array.isArray(input)) {
      const came = describeAuthored(input);
      mistakes.add(
        node,
        `input ${showName(name)} must be features ({ origin__mean_delay_7d: t.float64() }) or a node, got ${came}`,
        where,
      );
      return [];
    }
    // compileFields reports what is no column type.
    const features = compileFields(input as Columns, node, 'feature', where, columnMistake, mistakes);
    for (const feature of features) {
      const known = findFeature(node, feature.name, [...where, feature.name], context);
      if (known !== undefined && !sameType(known.type, feature.type))
        mistakes.add(
          node,
          `feature ${showName(feature.name)} is ${typeName(known.type)} in service "${context.service}", not ${typeName(feature.type)}. Declare it as it is there`,
          [...where, feature.name],
        );
    }
    return [{ kind: 'features', name, features }];
  });
}

/** What a model's features come from, where that is not the graph's feature of the same name. */
export function compileModelInputs(
  node: AuthoredNode,
  model: ModelSpec,
  at: Path,
  context: InputContext,
): ModelNodeSpec['inputs'] {
  const { mistakes, parts, features } = context;
  const written = node.options.inputs ?? {};
  const here = [...at, 'inputs'];
  if (!expectRecord(node, 'inputs', written, here, mistakes)) return {};
  const own = new Map(
    resolveService({ ...parts, endpoints: {} }, model.service).features.map((feature) => [feature.name, feature]),
  );
  const inputs: Record<string, NodeSource> = {};
  for (const [name, value] of Object.entries(written)) {
    const where = [...here, name];
    const feature = own.get(name);
    if (feature === undefined) {
      const known = `those are ${[...own.keys()].join(', ')}`;
      mistakes.add(
        node,
        `input ${showName(name)} is no feature of service "${model.service}", which model "${model.name}" takes.${suggest(name, own.keys()) || ` ${known}`}`,
        where,
      );
      continue;
    }
    const source = compileSource(node, name, value, where, context);
    if (source === undefined) continue;
    inputs[name] = source.from;
    if (!fits(source.type, feature.type))
      mistakes.add(
        node,
        `input ${showName(name)} takes ${typeName(feature.type)}, and what it is given is ${typeName(source.type)}. Convert it in a function node`,
        where,
      );
  }
  for (const feature of own.values()) {
    if (Object.hasOwn(written, feature.name)) continue;
    const same = features.get(feature.name);
    const has = same === undefined ? 'has none of that name' : `has it as ${typeName(same.type)}`;
    if (same === undefined || !fits(same.type, feature.type))
      mistakes.add(
        node,
        `model "${model.name}" takes feature "${feature.name}" (${typeName(feature.type)}), and service "${context.service}" ${has}. Add it to the service, or say in \`inputs\` what the model gets instead`,
        here,
      );
  }
  return inputs;
}

interface Source {
  readonly from: NodeSource;
  readonly type: DataType;
}

function compileSource(
  node: AuthoredNode,
  name: string,
  value: unknown,
  at: Path,
  context: InputContext,
): Source | undefined {
  const { mistakes, nodes } = context;
  if (typeof value === 'string') {
    const feature = findFeature(node, value, at, context);
    return feature === undefined ? undefined : { from: { kind: 'feature', feature: value }, type: feature.type };
  }
  const object = isNodeOutput(value) ? authored(value.node) : undefined;
  if (object?.kind !== 'node' || !isNodeOutput(value)) {
    mistakes.add(
      node,
      `input ${showName(name)} must be a feature's full name or a node's output, as in \`prepared.out('score')\`, got ${describeAuthored(value)}`,
      at,
    );
    return undefined;
  }
  const before = nodes.get(object);
  if (before === undefined) return undefined;
  const output = before.outputs.find((one) => one.name === value.output);
  if (output !== undefined)
    return { from: { kind: 'node', node: before.name, output: output.name }, type: output.type };
  const known = before.outputs.map((one) => one.name);
  mistakes.add(
    node,
    `input ${showName(name)}: node "${before.name}" has no output ${showName(value.output)}; it has ${known.join(', ')}.${suggest(value.output, known)}`,
    at,
  );
  return undefined;
}

function findFeature(
  node: AuthoredNode,
  name: string,
  at: Path,
  { features, service, mistakes }: InputContext,
): Field | undefined {
  const known = features.get(name);
  if (known === undefined)
    mistakes.add(
      node,
      `service "${service}" has no feature ${showName(name)}.${didYouMean(name, features.keys()) || ` It has ${[...features.keys()].join(', ')}`}`,
      at,
    );
  return known;
}

const FLOATS = ['float32', 'float64'];

/** The same type, or a number where a fraction may stand. */
function fits(given: DataType, wanted: DataType): boolean {
  return sameType(given, wanted) || (FLOATS.includes(wanted.kind) && [...FLOATS, 'int32'].includes(given.kind));
}
