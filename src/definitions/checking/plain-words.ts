// What the compiler says of functions of definitions in the words of the definitions: which view or source, which feature,
// the nearest known name, what to do. The rest stays in the compiler's words.

import { didYouMean, didYouMeanOf, nearestName } from '../../core/index.ts';
import { type FunctionNode, isFunction, memberName, type Node, walk } from '../bundling/syntax.ts';
import { type Position, positionOf } from '../compile/find-in-source.ts';
import { innerOf, memberNames, plainTypes } from './printed-types.ts';
import type { Diagnostic } from './run-compiler.ts';
import { holds, type WrittenFile, type WrittenFunction } from './written-functions.ts';

/** A mistake; without a position where the compiler's is the best there is. */
export interface Told {
  readonly message: string;
  readonly position?: Position;
}

/** Undefined where the rule is not for what the compiler said. */
type Rule = (diagnostic: Diagnostic, written: WrittenFunction, program: Node) => readonly Told[] | undefined;

/** `file`: the one that the diagnostic is of. */
export function inPlainWords(diagnostic: Diagnostic, file: WrittenFile | undefined): readonly Told[] {
  const written = file?.functionAt(diagnostic);
  if (file !== undefined && written !== undefined) {
    for (const rule of [tellResult, tellType, tellRead, tellNull]) {
      const told = rule(diagnostic, written, file.program);
      if (told !== undefined && told.length > 0) return told;
    }
  }
  return [{ message: `${plainTypes(diagnostic.message)} (${diagnostic.code})` }];
}

/** A transform that returns other names than its features'. */
const tellResult: Rule = ({ message }, written) => {
  if (written.kind !== 'transform' || !/\b(RowOf|Undeclared|NotDeclaredInFeatures)</.test(message)) return undefined;
  const shown = otherNames(written);
  if (shown !== undefined) return shown;
  const { missing, extra, declared } = namesInMessage(message, [...written.declared.keys()]);
  const came = extra.map((name) => ({ name }));
  return tellNames(written.title, declared, came, missing, undefined);
};

/** By the text, as the compiler tells it only where every type is right; undefined where the text does not show both. */
function otherNames({ title, declared, results }: WrittenFunction): Told[] | undefined {
  if (declared.size === 0) return undefined;
  return results?.flatMap(({ members, position }) => {
    const names = new Set(members.map(({ name }) => name));
    const missing = [...declared.keys()].filter((name) => !names.has(name));
    const extra = members.filter(({ name }) => !declared.has(name));
    return tellNames(title, [...declared.keys()], extra, missing, position);
  });
}

function namesInMessage(
  message: string,
  written: readonly string[],
): { readonly missing: readonly string[]; readonly extra: readonly string[]; readonly declared: readonly string[] } {
  const declared = written.length > 0 ? written : memberNames(/\bRowOf<(\{.*)/.exec(message)?.[1] ?? '');
  const [, one, given = ''] = /Property '([^']+)' is missing in type '([^']+)'/.exec(message) ?? [];
  const [, all, many = ''] =
    /Type '([^']+)' is missing the following properties from type '[^']+': ([^.]+)/.exec(message) ?? [];
  const missing = one === undefined ? many.split(', ').filter((name) => name !== '') : [one];
  const undeclared = [...message.matchAll(/NotDeclaredInFeatures<"([^"]+)">/g)].map(([, name = '']) => name);
  const returned = memberNames(all ?? given).filter((name) => declared.length > 0 && !declared.includes(name));
  return { missing, extra: [...new Set([...undeclared, ...returned])], declared };
}

function tellNames(
  title: string,
  declared: readonly string[],
  extra: readonly { readonly name: string; readonly position?: Position }[],
  missing: readonly string[],
  position: Position | undefined,
): Told[] {
  const left = new Set(missing);
  const told = extra.map(({ name, position: at }): Told => {
    // One that is missing may be meant by one that is too many, whatever they look like.
    const meant = nearestName(name, left) ?? (left.size === 1 && extra.length === 1 ? [...left][0] : undefined);
    if (meant !== undefined) left.delete(meant);
    const hint =
      meant === undefined
        ? `${declared.length === 0 ? '' : ` Its features: ${declared.join(', ')}.`} Declare it among them, or leave it out`
        : ` Did you mean "${meant}"?`;
    const message = `${title} returns "${name}", which is none of its features.${hint}`;
    return at === undefined ? { message } : { message, position: at };
  });
  const absent = [...left].map(
    (name): Told => ({
      message: `${title} returns no "${name}". Return it, as null where it has no value, or take it out of its features`,
      ...(position === undefined ? {} : { position }),
    }),
  );
  return [...told, ...absent];
}

/** A value of another type than its feature or derived column is declared as. */
const tellType: Rule = ({ message, line, column }, written) => {
  const [, came, wanted] = [...message.matchAll(/Type '([^']+)' is not assignable to type '([^']+)'/g)].at(-1) ?? [];
  const [, incompatible] = /Types of property '([^']+)' are incompatible/.exec(message) ?? [];
  if (came === undefined || wanted === undefined) return undefined;
  const members = written.results?.flatMap((result) => result.members) ?? [];
  const member = members.find(
    ({ name, position }) => name === incompatible || (position.line === line && position.column === column),
  );
  const isResult = written.kind === 'derive' ? message.includes('SqlText |') : member !== undefined;
  const [name, type] = [...written.declared].find(([one]) => written.kind === 'derive' || one === member?.name) ?? [];
  if (!isResult || name === undefined) return undefined;
  const what = written.kind === 'derive' ? `gives ${plainTypes(came)}` : `gives "${name}" as ${plainTypes(came)}`;
  const declared =
    type === undefined ? `${plainTypes(wanted)} is declared` : `it is declared as ${type}, which is ${wanted}`;
  return [
    {
      message: `${written.title} ${what}; ${declared}. Give that, or declare another type`,
      ...(member === undefined ? {} : { position: member.position }),
    },
    ...(otherNames(written) ?? []),
  ];
};

/** A member of the inputs, or of a row, that is not there. */
const tellRead: Rule = ({ message, line, column }, { title, kind, inputs }, program) => {
  const [, name, type, meant] =
    /^Property '([^']+)' does not exist on type '([^']+)'\.(?: Did you mean '([^']+)'\?)?$/.exec(message) ?? [];
  if (name === undefined || type === undefined) return undefined;
  const of = innerOf(type, 'InputValues');
  if (of !== undefined) {
    const known = inputs.size > 0 ? inputs.keys() : memberNames(of);
    return [{ message: `${title} has no input "${name}".${didYouMeanOf('inputs', name, known)}` }];
  }
  const row = innerOf(type, 'RowOf');
  if (row === undefined) return undefined;
  const from = objectAt(program, { line, column });
  const input = from === undefined ? undefined : inputs.get(from);
  const what = row.startsWith('{') && (input === undefined || input.type === 'ObjectExpression') ? 'column' : 'feature';
  const whose = kind === 'derive' ? 'the row' : input === undefined ? 'what it reads' : `input "${from}"`;
  const known = memberNames(row);
  const hint =
    known.length === 0 ? didYouMean(name, meant === undefined ? [] : [meant]) : didYouMeanOf(`${what}s`, name, known);
  return [{ message: `${title}: ${whose} has no ${what} "${name}".${hint}` }];
};

/** What the member at a place is read of: `request` of `request.fare`, and of `all.request.fare`. */
function objectAt(program: Node, place: Position): string | undefined {
  let found: string | undefined;
  walk(program, (node) => {
    if (node.type !== 'MemberExpression' || !isAt(node.property, place)) return;
    const { object } = node;
    found =
      object.type === 'Identifier' ? object.name : object.type === 'MemberExpression' ? memberName(object) : undefined;
  });
  return found;
}

/** A value of an input, or of a row, that is used as if it were never null. */
const tellNull: Rule = ({ message, line, column }, { title, node }, program) => {
  // What the compiler names is what it means; where a null is handed on it names nothing.
  const [, named] = /^'([^']+)' is possibly 'null'/.exec(message) ?? [];
  const isHandedOn = /Type 'null' is not assignable to type '[^']+'\.$/.test(message);
  const value = named ?? (isHandedOn ? chainAt(program, { line, column }) : undefined);
  const [head] = value?.split(/[.?![]/) ?? [];
  if (value === undefined || head === undefined || !isFunction(node)) return undefined;
  if (!isParameter(node, head) || isShadowed(node, head, { line, column })) return undefined;
  return [
    {
      message: `${title}: ${value} may be null, as every value may. Test it first, or put a value in its place with ??`,
    },
  ];
};

/** The chain that is all of the expression at a place. */
function chainAt(program: Node, place: Position): string | undefined {
  let whole: Node | undefined;
  walk(program, (node) => {
    if (whole === undefined && isAt(node, place)) whole = node;
  });
  return whole?.type === 'MemberExpression' ? chainText(whole) : undefined;
}

function isParameter({ params }: FunctionNode, name: string): boolean {
  return params.some((parameter) => mentions(parameter, name));
}

/** Whether the name may be another's inside: a parameter's of a function around the place, or a variable's anywhere. */
function isShadowed({ body }: FunctionNode, name: string, place: Position): boolean {
  let found = false;
  walk(body, (node) => {
    if (isFunction(node)) found ||= holds(node, place) && isParameter(node, name);
    if (node.type === 'VariableDeclarator') found ||= mentions(node.id, name);
  });
  return found;
}

function mentions(pattern: Node, name: string): boolean {
  let found = false;
  walk(pattern, (node) => {
    if (node.type === 'Identifier' && node.name === name) found = true;
  });
  return found;
}

/** `request.fare`; undefined where a link of the chain is computed. */
function chainText(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression' || node.computed || node.property.type !== 'Identifier') return undefined;
  const object = chainText(node.object);
  return object === undefined ? undefined : `${object}.${node.property.name}`;
}

function isAt(node: Node, { line, column }: Position): boolean {
  const at = positionOf(node);
  return at?.line === line && at.column === column;
}
