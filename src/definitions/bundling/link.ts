// A function's own code as one text: the pieces that it reaches, one after the other, each name made to mean what it meant.

import type { ModuleGraph, Target } from './module-graph.ts';
import { FINDER, PARAMETERS, SHADOWED } from './pure-code.ts';
import { exportedBy, meaningsIn, membersOf, type Piece, type Reach } from './reach.ts';
import { DEFAULT, referencesIn, type SourceModule, type Unit } from './source-module.ts';
import { keyName } from './syntax.ts';

export interface Linked {
  /** Statements that end by setting `module.exports`; they stand in a function, after what gives them foreign code. */
  readonly code: string;
  /** What is taken from foreign modules, in the order in which `packages` has them: `packages[0]` … */
  readonly foreign: readonly ForeignName[];
}

export interface ForeignName {
  readonly from: string;
  /** `*` is the module's namespace; undefined, what it does when it is loaded. */
  readonly name: string | undefined;
  /** The name that the code calls it by. */
  readonly as: string | undefined;
}

/** `name` is what the function is called by where it has no name of its own: in stack traces. */
export function linkReach(graph: ModuleGraph, reach: Reach, name: string): Linked {
  const names = chooseNames(reach, name);
  const nameOf: NameOf = (target) => names.get(target) ?? missing(target);
  const lines: string[] = [];
  const foreign: ForeignName[] = reach.bareImports.map((from) => ({ from, name: undefined, as: undefined }));
  for (const target of reach.targets) {
    if (target.kind === 'foreign') foreign.push({ from: target.from, name: target.name, as: nameOf(target) });
    else if (target.kind === 'builtin') lines.push(required(target.from, target.name, nameOf(target)));
    else if (target.kind === 'headrace') lines.push(required('headrace', target.name, nameOf(target)));
    else if (target.kind === 'namespace') lines.push(namespaceText(graph, target.module, nameOf(target), nameOf));
  }
  const entryName = names.get(ENTRY) ?? name;
  for (const unit of reach.units) lines.push(unitText(graph, unit, nameOf, entryName));
  const { entry } = reach;
  lines.push(
    entry.kind === 'expression'
      ? `module.exports = ${entryName};`
      : `module.exports = require(${JSON.stringify(FINDER)})(${nameOf(exportedBy(graph, entry))}, ${JSON.stringify(entry.id)});`,
  );
  return { code: lines.join('\n'), foreign };
}

type NameOf = (target: Target) => string;

function missing(target: Target): never {
  throw new Error(`no name was chosen for ${target.kind} ${'name' in target ? target.name : target.module.name}`);
}

function required(from: string, name: string, as: string): string {
  const whole = `require(${JSON.stringify(from)})`;
  return name === '*' ? `const ${as} = ${whole};` : `const { ${JSON.stringify(name)}: ${as} } = ${whole};`;
}

// As with a module's own namespace, names are looked up when they are read.
function namespaceText(graph: ModuleGraph, module: SourceModule, as: string, nameOf: NameOf): string {
  const members = membersOf(graph, module).map(
    ([name, member]) => `get ${JSON.stringify(name)}() { return ${nameOf(member)}; },`,
  );
  return `const ${as} = Object.freeze({ __proto__: null, ${members.join(' ')} });`;
}

function unitText(graph: ModuleGraph, unit: Unit, nameOf: NameOf, entryName: string): string {
  const text = pieceText(graph, unit, nameOf);
  switch (unit.kind) {
    case 'variable':
      return `${unit.keyword} ${text};`;
    case 'default':
      return `const ${nameOf(defaultOf(graph, unit))} = (${text});`;
    case 'entry': {
      const { node } = unit;
      const isMethod = node.type === 'Property';
      return `const ${entryName} = (${isMethod ? `{ ${text} }).${keyName(node.key)}` : `${text})`};`;
    }
    default:
      return `${text};`;
  }
}

function defaultOf(graph: ModuleGraph, { module }: Unit): Target {
  const target = graph.exportOf(module, 'default');
  if (target === undefined) throw new Error(`${module.name} has no default export`);
  return target;
}

/** A piece's text, with every name that stands for another one put in. */
function pieceText(graph: ModuleGraph, piece: Piece, nameOf: NameOf): string {
  const { text, shorthands } = piece.module;
  let at = piece.node.start;
  let written = '';
  for (const { node, target } of meaningsIn(graph, piece)) {
    if (target === undefined) continue;
    const name = nameOf(target);
    written += text.slice(at, node.start);
    if (node.type === 'ImportExpression') written += `Promise.resolve(${namespaceOf(target, name)})`;
    // The function itself may stand as `{ transform }`.
    else if (node.type === 'Identifier' && shorthands.has(node.start) && node !== piece.node)
      written += `${node.name}: ${name}`;
    else written += name;
    at = node.end;
  }
  return written + text.slice(at, piece.node.end);
}

// What \`require\` gives of one of Node's modules is its default export.
function namespaceOf(target: Target, name: string): string {
  return target.kind === 'builtin' ? `{ default: ${name}, ...${name} }` : name;
}

const ENTRY = Symbol('entry');

/** One name for each target, that of its declaration where it is free: nothing in a piece may come between. */
function chooseNames(reach: Reach, entryName: string): ReadonlyMap<Target | typeof ENTRY, string> {
  const taken = new Set([...PARAMETERS, ...SHADOWED, ...RESERVED, ...namesWithin(reach.units)]);
  const names = new Map<Target | typeof ENTRY, string>();
  const choose = (target: Target | typeof ENTRY, wanted: string): void => {
    const base = /^[\w$]*$/.test(wanted) && /^[^\d]/.test(wanted) ? wanted : `_${wanted.replaceAll(/[^\w$]/g, '_')}`;
    let name = base;
    for (let number = 1; taken.has(name); number++) name = `${base}$${number}`;
    taken.add(name);
    names.set(target, name);
  };
  for (const target of reach.targets) choose(target, wantedName(target));
  if (reach.entry.kind === 'expression') choose(ENTRY, entryName);
  return names;
}

function wantedName(target: Target): string {
  if (target.kind === 'namespace') return 'namespace';
  if (target.kind === 'builtin' && target.name === '*') return target.from.replace(/^.*[:/]/, '');
  return target.name === DEFAULT || target.name === 'default' || target.name === '*' ? 'imported' : target.name;
}

/** Names that the pieces use by themselves: their functions' own, and global ones. */
function namesWithin(units: readonly Unit[]): string[] {
  return units.flatMap(({ module, node }) => [
    ...module.innerNames.filter(({ at }) => at >= node.start && at < node.end).map(({ name }) => name),
    ...referencesIn(module, node).flatMap((reference) => (reference.isGlobal ? [reference.node.name] : [])),
  ]);
}

// Words that can't be names, and names that must not be other things.
const RESERVED: readonly string[] =
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
  finally for function if implements import in instanceof interface let new null package private protected public return
  static super switch this throw true try typeof undefined var void while with yield packages`.split(/\s+/);
