// A user's module, read: what it declares at its top level, in pieces that can be taken one by one, and what every
// identifier in it refers to.

import { readFileSync } from 'node:fs';
import { transformSync } from 'amaro';
import { HeadraceError } from '../../core/index.ts';
import {
  type CallExpression,
  type Identifier,
  type ImportExpression,
  type MemberExpression,
  parse,
  type Program,
} from 'acorn';
import { analyze, type Scope, type Variable } from 'eslint-scope';
import { constantText, isFunction, memberName, type Node, walk } from './syntax.ts';

/** A piece of a module's top level: a declaration, one declarator of `const a = …, b = …`, or a statement. */
export interface Unit {
  readonly module: SourceModule;
  /** Without `export`. Of a declarator: the declarator alone. */
  readonly node: Node;
  readonly kind: 'variable' | 'function' | 'class' | 'default' | 'statement' | 'entry';
  /** `const`, `let`, …: of a declarator. */
  readonly keyword?: string;
  /** The names that it declares at the module's top level. */
  readonly names: readonly string[];
}

/** What a name at a module's top level stands for. */
export type Binding =
  | { readonly kind: 'local'; readonly units: readonly Unit[]; readonly isReassigned: boolean }
  | { readonly kind: 'import'; readonly specifier: string; readonly imported: string };

/** What a module exports under a name: a name of its own, or what another module has. `*` is the other's namespace. */
export type Export =
  | { readonly kind: 'local'; readonly local: string }
  | { readonly kind: 'from'; readonly specifier: string; readonly imported: string };

/** An identifier that refers to something outside of every function and block: a top-level name, or a global one. */
export interface Reference {
  readonly node: Identifier;
  /** With `ns.name`: that member, and its name. It may stand for what a namespace has under the name. */
  readonly member: { readonly node: MemberExpression; readonly name: string } | undefined;
  readonly isGlobal: boolean;
  readonly isWrite: boolean;
}

/** By places in the text: of its declaration, and of all that means it. */
export interface InnerName {
  readonly name: string;
  readonly at: number;
  readonly uses: readonly number[];
}

export interface SourceModule {
  readonly path: string;
  /** For messages: relative to the repository. */
  readonly name: string;
  /** The file without types; every character stands where it stands in the file. */
  readonly text: string;
  readonly units: readonly Unit[];
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly exports: ReadonlyMap<string, Export>;
  /** The specifiers of `export * from '…'`. */
  readonly stars: readonly string[];
  /** Every specifier that it imports, in order; and those whose import binds no name. */
  readonly imports: readonly string[];
  readonly bareImports: readonly string[];
  /** In the order of the text. */
  readonly references: readonly Reference[];
  /** Names declared within functions and blocks. */
  readonly innerNames: readonly InnerName[];
  /** Where identifiers stand that are key and value at once: `{ a }`. */
  readonly shorthands: ReadonlySet<number>;
  /** Calls, wherever they stand. */
  readonly calls: readonly CallExpression[];
  /** What may change something when the module is evaluated: calls, assignments and the like that stand in no function. */
  readonly actions: readonly Node[];
  /** `import(…)`, wherever it stands. */
  readonly dynamicImports: readonly ImportExpression[];
  readonly parents: ReadonlyMap<Node, Node>;
}

/** The name of what `export default` gives, where that has no name of its own. */
export const DEFAULT = '*default*';

/** Reads a module from its file. A .json file is one that exports its value by default. */
export function readSourceModule(path: string, name: string): SourceModule {
  const text = readFileSync(path, 'utf8');
  try {
    if (path.endsWith('.json')) return parseSourceModule(path, name, jsonModule(text));
    return parseSourceModule(path, name, /\.m?ts$/.test(path) ? stripTypes(text) : text);
  } catch (cause) {
    // It was loaded, so it is sound: something in it is newer than the parsers are.
    const message = `it can't be read to bundle its functions: ${reasonOf(cause)}. Write it in another way`;
    const details = [{ path: name, message, file: name }];
    throw new HeadraceError('HR_DEFINITION', `${name}: ${message}.`, { details, cause });
  }
}

// What strips types throws objects that are no errors.
function reasonOf(thrown: unknown): string {
  const isTold = thrown !== null && typeof thrown === 'object' && 'message' in thrown;
  return isTold ? String(thrown.message) : String(thrown);
}

// Spaces and the order of members that makes no difference are gone: only values count.
function jsonModule(text: string): string {
  return `export default JSON.parse(${JSON.stringify(JSON.stringify(JSON.parse(text)))});`;
}

function stripTypes(text: string): string {
  return transformSync(text, { mode: 'strip-only' }).code;
}

const ACTIONS: ReadonlySet<string> = new Set([
  'AssignmentExpression',
  'CallExpression',
  'ForInStatement',
  'ForOfStatement',
  'NewExpression',
  'TaggedTemplateExpression',
  'UnaryExpression',
  'UpdateExpression',
]);

export function parseSourceModule(path: string, name: string, text: string): SourceModule {
  // The analysis of scopes asks for ranges.
  const program = parse(text, { ecmaVersion: 'latest', sourceType: 'module', ranges: true, allowHashBang: true });
  const parents = new Map<Node, Node>();
  const shorthands = new Set<number>();
  const dynamicImports: ImportExpression[] = [];
  const calls: CallExpression[] = [];
  const actions: Node[] = [];
  let [functionStart, functionEnd] = [0, 0];
  walk(program, (node, parent) => {
    if (parent !== undefined) parents.set(node, parent);
    if (node.type === 'Property' && node.shorthand) shorthands.add(node.key.start);
    else if (node.type === 'ImportExpression') dynamicImports.push(node);
    else if (node.type === 'CallExpression') calls.push(node);
    if (node.start >= functionStart && node.end <= functionEnd) return;
    if (isFunction(node)) [functionStart, functionEnd] = [node.start, node.end];
    else if (ACTIONS.has(node.type)) actions.push(node);
  });
  const { moduleScope, globals } = scopesOf(program);
  const bindings = new Map<string, Binding>();
  const units: Unit[] = [];
  const module: SourceModule = {
    path,
    name,
    text,
    units,
    bindings,
    ...readExports(program),
    references: readReferences(moduleScope, globals, parents),
    innerNames: moduleScope.childScopes.flatMap(innerNamesOf),
    shorthands,
    calls,
    actions,
    dynamicImports,
    parents,
  };
  for (const statement of program.body) units.push(...unitsOf(module, statement));
  fillBindings(bindings, units, moduleScope);
  return module;
}

function scopesOf(program: Program): { moduleScope: Scope; globals: Scope['through'] } {
  // Two packages describe one and the same tree, each with its own types.
  const manager = analyze(program as never, { ecmaVersion: 2025, sourceType: 'module', fallback: 'iteration' });
  const moduleScope = manager.globalScope?.childScopes[0];
  if (moduleScope === undefined) throw new Error('a module without a scope');
  return { moduleScope, globals: moduleScope.through };
}

function readExports(program: Program): Pick<SourceModule, 'exports' | 'stars' | 'imports' | 'bareImports'> {
  const exports = new Map<string, Export>();
  const stars: string[] = [];
  const imports: string[] = [];
  const bareImports: string[] = [];
  for (const statement of program.body) {
    const source = 'source' in statement ? constantText(statement.source) : undefined;
    if (source !== undefined) imports.push(source);
    if (statement.type === 'ImportDeclaration') {
      if (source !== undefined && statement.specifiers.length === 0) bareImports.push(source);
    } else if (statement.type === 'ExportAllDeclaration' && source !== undefined) {
      if (statement.exported === null || statement.exported === undefined) stars.push(source);
      else exports.set(exportName(statement.exported), { kind: 'from', specifier: source, imported: '*' });
    } else if (statement.type === 'ExportNamedDeclaration') {
      for (const { local, exported } of statement.specifiers) {
        const from = exportName(local);
        exports.set(
          exportName(exported),
          source === undefined ? { kind: 'local', local: from } : { kind: 'from', specifier: source, imported: from },
        );
      }
      const declaration = statement.declaration;
      if (declaration !== null && declaration !== undefined) {
        for (const local of declaredNames(declaration)) exports.set(local, { kind: 'local', local });
      }
    } else if (statement.type === 'ExportDefaultDeclaration') {
      exports.set('default', { kind: 'local', local: defaultName(statement.declaration) });
    }
  }
  return { exports, stars, imports, bareImports };
}

function exportName(node: Node): string {
  return node.type === 'Identifier' ? node.name : (constantText(node) ?? '');
}

function defaultName(declaration: Node): string {
  const isNamed = declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration';
  return (isNamed ? declaration.id?.name : undefined) ?? DEFAULT;
}

/** The names that a declaration, or a pattern in one, declares. */
export function declaredNames(node: Node): string[] {
  switch (node.type) {
    case 'Identifier':
      return [node.name];
    case 'VariableDeclaration':
      return node.declarations.flatMap((declarator) => declaredNames(declarator.id));
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return node.id === null ? [] : [node.id.name];
    case 'ObjectPattern':
      return node.properties.flatMap((property) =>
        declaredNames(property.type === 'Property' ? property.value : property.argument),
      );
    case 'ArrayPattern':
      return node.elements.flatMap((element) => (element === null ? [] : declaredNames(element)));
    case 'AssignmentPattern':
      return declaredNames(node.left);
    case 'RestElement':
      return declaredNames(node.argument);
    default:
      return [];
  }
}

function unitsOf(module: SourceModule, statement: Node): Unit[] {
  switch (statement.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'EmptyStatement':
      return [];
    case 'ExportNamedDeclaration':
      return statement.declaration ? unitsOf(module, statement.declaration) : [];
    case 'ExportDefaultDeclaration': {
      const { declaration } = statement;
      const name = defaultName(declaration);
      if (name !== DEFAULT) return unitsOf(module, declaration);
      return [{ module, node: declaration, kind: 'default', names: [DEFAULT] }];
    }
    case 'VariableDeclaration':
      return statement.declarations.map((node) => ({
        module,
        node,
        kind: 'variable',
        keyword: statement.kind,
        names: declaredNames(node.id),
      }));
    case 'FunctionDeclaration':
      return [{ module, node: statement, kind: 'function', names: declaredNames(statement) }];
    case 'ClassDeclaration':
      return [{ module, node: statement, kind: 'class', names: declaredNames(statement) }];
    default:
      // `var` within a statement is a name of the module's too.
      return [{ module, node: statement, kind: 'statement', names: hoistedNames(statement) }];
  }
}

function hoistedNames(statement: Node): string[] {
  const names: string[] = [];
  walk(statement, (node) => {
    if (/Function/.test(node.type) || node.type === 'ClassDeclaration') return false;
    if (node.type === 'VariableDeclaration' && node.kind === 'var') names.push(...declaredNames(node));
    return undefined;
  });
  return names;
}

function fillBindings(bindings: Map<string, Binding>, units: readonly Unit[], scope: Scope): void {
  for (const variable of scope.variables) {
    const imported = importOf(variable);
    const declaring = units.filter((unit) => unit.names.includes(variable.name));
    const isReassigned =
      declaring.length > 1 || variable.references.some((reference) => reference.isWrite() && reference.init !== true);
    bindings.set(variable.name, imported ?? { kind: 'local', units: declaring, isReassigned });
  }
  const unnamed = units.filter((unit) => unit.kind === 'default');
  if (unnamed.length > 0) bindings.set(DEFAULT, { kind: 'local', units: unnamed, isReassigned: false });
}

function importOf(variable: Variable): Binding | undefined {
  const definition = variable.defs.find(({ type }) => type === 'ImportBinding');
  if (definition === undefined) return undefined;
  const node = definition.node as unknown as Node;
  const declaration = definition.parent as unknown as Node;
  const specifier = declaration.type === 'ImportDeclaration' ? (constantText(declaration.source) ?? '') : '';
  const imported =
    node.type === 'ImportSpecifier'
      ? exportName(node.imported)
      : node.type === 'ImportDefaultSpecifier'
        ? 'default'
        : '*';
  return { kind: 'import', specifier, imported };
}

function readReferences(moduleScope: Scope, globals: Scope['through'], parents: ReadonlyMap<Node, Node>): Reference[] {
  const references: Reference[] = [];
  const seen = new Set<number>();
  const add = (identifier: unknown, isGlobal: boolean, isWrite: boolean): void => {
    // Two packages describe one and the same tree, each with its own types.
    const node = identifier as Identifier;
    if (seen.has(node.start)) return;
    seen.add(node.start);
    references.push({ node, member: staticMember(node, parents), isGlobal, isWrite });
  };
  for (const reference of globals) add(reference.identifier, true, reference.isWrite());
  for (const variable of moduleScope.variables) {
    for (const variant of [variable, ...innerClassNames(variable, moduleScope)]) {
      for (const reference of variant.references)
        add(reference.identifier, false, reference.isWrite() && reference.init !== true);
      for (const identifier of variant.identifiers) add(identifier, false, false);
    }
  }
  return references.sort((a, b) => a.node.start - b.node.start);
}

// Within a class its name is a name of its own, which goes where the class's goes.
function innerClassNames(variable: Variable, moduleScope: Scope): Variable[] {
  if (!variable.defs.some(({ type }) => type === 'ClassName')) return [];
  return moduleScope.childScopes.flatMap((scope) => {
    const inner = scope.type === 'class' ? scope.set.get(variable.name) : undefined;
    return inner !== undefined && inner.defs[0]?.node === variable.defs[0]?.node ? [inner] : [];
  });
}

function staticMember(node: Identifier, parents: ReadonlyMap<Node, Node>): Reference['member'] {
  const parent = parents.get(node);
  if (parent?.type !== 'MemberExpression' || parent.object !== node || parent.optional) return undefined;
  const name = memberName(parent);
  return name === undefined ? undefined : { node: parent, name };
}

function innerNamesOf(scope: Scope): InnerName[] {
  const own = scope.variables.flatMap((variable) => {
    const at = (variable.identifiers[0] ?? scope.block) as unknown as Node;
    const isTopClass =
      scope.type === 'class' && scope.upper?.type === 'module' && scope.block.type === 'ClassDeclaration';
    // As above, of the same tree.
    const uses = variable.references.map(({ identifier }) => (identifier as unknown as Node).start);
    return isTopClass ? [] : [{ name: variable.name, at: at.start, uses }];
  });
  return [...own, ...scope.childScopes.flatMap(innerNamesOf)];
}

/** The references within a node, in the order of the text. */
export function referencesIn(
  module: SourceModule,
  node: { readonly start: number; readonly end: number },
): Reference[] {
  const found: Reference[] = [];
  for (let at = firstFrom(module, node.start); at < module.references.length; at++) {
    const reference = module.references[at];
    if (reference === undefined || reference.node.start >= node.end) break;
    found.push(reference);
  }
  return found;
}

/** The reference that an identifier is; undefined for a name of a function's or block's own. */
export function referenceAt(module: SourceModule, node: Identifier): Reference | undefined {
  const found = module.references[firstFrom(module, node.start)];
  return found?.node.start === node.start ? found : undefined;
}

function firstFrom(module: SourceModule, start: number): number {
  let [low, high] = [0, module.references.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((module.references[middle]?.node.start ?? 0) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Line and column, from 1, of a place in the file: types were stripped without moving anything. */
export function placeOf(module: SourceModule, at: number): { readonly line: number; readonly column: number } {
  const before = module.text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}
