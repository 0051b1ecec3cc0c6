// Relative file names in a user's query, made absolute. DuckDB itself starts them at the process's working directory, which
// is not where the user stands; its `file_search_path` is asked only for what that directory does not hold.

import { isAbsolute, join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { quoteText } from './quote.ts';

/**
 * The query with the relative names of the files it reads made to start at `directory`: names in FROM, and those given to
 * DuckDB's readers (`read_parquet('x')`, lists too). What a query puts together only as it runs is looked up there as well,
 * by the connection's search path, after the working directory. One that is no SELECT stays as it is: running it tells why.
 */
export async function startPathsAt(connection: DuckDBConnection, query: string, directory: string): Promise<string> {
  // The setting has no way to write a comma.
  if (!directory.includes(',')) await connection.run(`SET file_search_path = ${quoteText(directory)}`);
  const read = await connection.runAndReadAll(
    `SELECT json_serialize_sql(${quoteText(query)}, skip_null := true, skip_empty := true, skip_default := true)`,
  );
  const names: FileName[] = [];
  // An error has no statements, and so no names.
  findNames(JSON.parse(String(read.getRows()[0]?.[0])), names);
  const text = Buffer.from(query);
  const parts: string[] = [];
  let at = 0;
  for (const { offset, name } of names.toSorted((a, b) => a.offset - b.offset)) {
    const token = tokenOf(text.toString('utf8', offset), name);
    // Written in a way that nobody writes a file's name in.
    if (token === undefined || offset < at) continue;
    parts.push(text.toString('utf8', at, offset), quoteText(join(withoutPattern(directory), name)));
    at = offset + Buffer.byteLength(token);
  }
  return parts.join('') + text.toString('utf8', at);
}

interface FileName {
  /** In bytes. */
  readonly offset: number;
  readonly name: string;
}

/** What is read here of a node of DuckDB's parse tree. */
interface Node {
  readonly [member: string]: unknown;
}

const READERS = /^(read_\w+|parquet_scan|parquet_\w*(metadata|schema)|sniff_csv|glob)$/i;
/** Names that DuckDB takes for files where no quotes hold them together: `FROM spine.csv`. */
const BARE_FILE = /\.(parquet|[ct]sv|json|jsonl|ndjson)$/i;

function findNames(tree: unknown, into: FileName[]): void {
  const tables: FileName[] = [];
  const common = new Set<unknown>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (typeof value !== 'object' || value === null) return;
    const node = value as Node; // Of JSON, an object that is no array.
    if (node['type'] === 'BASE_TABLE') tables.push(...tableName(node));
    if (node['type'] === 'TABLE_FUNCTION') into.push(...readerNames(node['function']));
    for (const { key } of asNodes((node['cte_map'] as Node | undefined)?.['map'])) common.add(key);
    Object.values(node).forEach(visit);
  };
  visit(tree);
  into.push(...tables.filter(({ name }) => !common.has(name)));
}

function tableName({ query_location: offset, catalog_name, schema_name, table_name }: Node): FileName[] {
  const name = [catalog_name, schema_name, table_name].filter((part) => part !== undefined).join('.');
  const isFile = schema_name === undefined ? /[./]/.test(name) : BARE_FILE.test(name);
  return isFile && isRelative(name) ? [{ offset: Number(offset), name }] : [];
}

/** Of a reader's first argument, a name or a list of names. */
function readerNames(call: unknown): FileName[] {
  const [{ function_name: reader, children } = {}] = asNodes([call]);
  if (typeof reader !== 'string' || !READERS.test(reader)) return [];
  const [files = {}] = asNodes(children);
  const isList = files['function_name'] === 'list_value' || files['type'] === 'ARRAY_CONSTRUCTOR';
  return (isList ? asNodes(files['children']) : [files]).flatMap((node) => {
    const name = (node['value'] as Node | undefined)?.['value'];
    const isName = node['type'] === 'VALUE_CONSTANT' && typeof name === 'string' && isRelative(name);
    return isName ? [{ offset: Number(node['query_location']), name }] : [];
  });
}

function asNodes(value: unknown): Node[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one === 'object' && one !== null) as Node[];
}

const isRelative = (name: string): boolean =>
  name !== '' && !isAbsolute(name) && !name.startsWith('~') && !/^([a-z][\w+.-]*:\/\/|file:)/i.test(name);

/** The token that a text begins with, if it is that name in quotes, or plain. */
function tokenOf(text: string, name: string): string | undefined {
  const [token = '', quote] = /^(['"])(?:(?!\1).|\1\1)*\1/s.exec(text) ?? [];
  if (quote !== undefined) return token.slice(1, -1).replaceAll(quote + quote, quote) === name ? token : undefined;
  return text.startsWith(name) ? name : undefined;
}

/** The signs of a pattern in a folder's own name stand for themselves. */
const withoutPattern = (directory: string): string => directory.replaceAll(/[*?[]/g, '[$&]');
