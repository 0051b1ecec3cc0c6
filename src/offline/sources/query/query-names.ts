// The names in a query's parse tree, as DuckDB serializes it: what it reads that it does not say itself, and what it calls.

/** A node of DuckDB's parse tree, or the whole. */
export interface Tree {
  readonly [member: string]: unknown;
}

export interface QueryNames {
  /** Neither known nor a table that the query has named by WITH where it reads it. */
  readonly tables: ReadonlySet<string>;
  /** In lower case, as are those below. */
  readonly tableFunctions: ReadonlySet<string>;
  /** `age/1` is `age` with one argument. */
  readonly functions: ReadonlySet<string>;
  /** Columns that stand by themselves, which may be none. */
  readonly words: ReadonlySet<string>;
  readonly isSampled: boolean;
}

/** `known` are tables, in lower case. */
export function collectNames(tree: Tree, known: ReadonlySet<string>): QueryNames {
  const found = {
    tables: new Set<string>(),
    tableFunctions: new Set<string>(),
    functions: new Set<string>(),
    words: new Set<string>(),
    isSampled: false,
  };
  collect(tree, known, found);
  return found;
}

type Found = { -readonly [Member in keyof QueryNames]: QueryNames[Member] extends boolean ? boolean : Set<string> };

function collect(value: unknown, scope: ReadonlySet<string>, found: Found): void {
  if (Array.isArray(value)) {
    for (const one of value) collect(one, scope, found);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const node = value as Tree; // Of JSON, an object that is no array.
  note(node, scope, found);
  const { cte_map: common, ...others } = node;
  const inner = common === undefined ? scope : collectCommon(common as Tree, scope, found);
  for (const one of Object.values(others)) collect(one, inner, found);
}

/** Tables that WITH names: each sees those before it, and itself where it counts by steps. Gives the scope past them. */
function collectCommon({ map = [] }: Tree, outer: ReadonlySet<string>, found: Found): ReadonlySet<string> {
  const scope = new Set(outer);
  for (const { key, value } of map as readonly { readonly key: string; readonly value: Tree }[]) {
    const name = key.toLowerCase();
    const body = (value['query'] as Tree | undefined)?.['node'] as Tree | undefined;
    collect(value, body?.['type'] === 'RECURSIVE_CTE_NODE' ? new Set([...scope, name]) : scope, found);
    scope.add(name);
  }
  return scope;
}

function note(node: Tree, scope: ReadonlySet<string>, found: Found): void {
  if (node['sample'] !== undefined) found.isSampled = true;
  switch (node['type']) {
    case 'BASE_TABLE': {
      const parts = [node['catalog_name'], node['schema_name'], node['table_name']];
      const name = parts.filter((part) => part !== undefined).join('.');
      if (!scope.has(name.toLowerCase())) found.tables.add(name);
      return;
    }
    case 'TABLE_FUNCTION':
      found.tableFunctions.add(lower((node['function'] as Tree)['function_name']));
      return;
    case 'COLUMN_REF': {
      const names = node['column_names'] as readonly string[];
      if (names.length === 1) found.words.add(lower(names[0]));
      return;
    }
    default: {
      if (typeof node['function_name'] !== 'string') return;
      const name = lower(node['function_name']);
      found.functions.add(name);
      found.functions.add(`${name}/${((node['children'] as readonly unknown[] | undefined) ?? []).length}`);
    }
  }
}

const lower = (name: unknown): string => String(name).toLowerCase();
