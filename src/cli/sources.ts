// `headrace sources inspect | list`: what lies in a place, as the definition to paste; what is declared, and where it lies.

import { join, relative } from 'node:path';
import type { App } from '../app/index.ts';
import { didYouMeanOf, HeadraceError, typeName } from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';
import {
  type CommandContext,
  type CommandOptions,
  type CommandResult,
  defineCommand,
  defineGroup,
  textOption,
  usageError,
} from './command.ts';
import { formatTable } from './table.ts';

type Place = Pick<SourceSpec, 'kind' | 'location'>;

const inspect = defineCommand({
  usage: 'inspect <place>',
  summary: 'look at files, a table, or a declared source, and print the definition to paste',
  example:
    "headrace sources inspect 's3://shop/orders/*.parquet'\n" +
    'headrace sources inspect s3://shop/lake/returns\n' +
    'headrace sources inspect env:SHOP_URL --table sales.orders\n' +
    'headrace sources inspect env:SHOP_URL',
  options: (command) =>
    command
      .option(
        '--table <name>',
        'of a database or catalog: the table, as SCHEMA.TABLE where it lies in no default schema',
      )
      .option('--query <select>', 'of a database: a query instead of a table')
      .option('--name <name>', 'what to call the source; by the place when left out'),
  notes:
    'A place is a path or a pattern (on disk or s3://), a folder of files, the folder of an Iceberg or a Delta table,\n' +
    'env:NAME for the database or Iceberg catalog whose URL the variable NAME holds, or the name of a source. Of a database\n' +
    'without --table and --query its tables are listed.',
  async run(context, [typed = ''], options) {
    const [app, { inspectPlace, inspectTables, proposeDefinition }] = await Promise.all([
      context.app('read'),
      import('../offline/index.ts'),
    ]);
    const deps = await app.places();
    const directory = app.config.values.repo;
    if (
      typed.startsWith('env:') &&
      textOption(options, 'table') === undefined &&
      textOption(options, 'query') === undefined
    )
      return describeTables(typed, await inspectTables(typed, deps));
    const place = await placeOf(context, app, typed, options);
    const found = await inspectPlace(place, directory, deps);
    const { name, eventTime, otherTimes, definition } = proposeDefinition(
      found,
      textOption(options, 'name') ?? undefined,
    );
    const columns = found.columns.map((column) => ({
      name: column.name,
      type: column.type,
      declared: column.suggested === undefined ? null : typeName(column.suggested),
    }));
    const { kind, location, partitions, notes } = found;
    return {
      json: {
        kind,
        name,
        location,
        columns,
        ...(partitions !== undefined && { partitions }),
        eventTime,
        otherTimes,
        notes,
        definition,
      },
      text: definition,
    };
  },
});

function describeTables(typed: string, tables: readonly string[]): CommandResult {
  const next = `headrace sources inspect ${typed} --table ${tables[0] ?? 'TABLE'}`;
  const text =
    tables.length === 0 ? 'It has no table that this login can read.' : `${tables.join('\n')}\n\nLook at one: ${next}`;
  return { json: { tables }, text };
}

async function placeOf(context: CommandContext, app: App, typed: string, options: CommandOptions): Promise<Place> {
  const { sourceAtPath, sourceInVariable } = await import('../offline/index.ts');
  const [table, query] = [textOption(options, 'table'), textOption(options, 'query')];
  if (typed.startsWith('env:')) {
    if (table !== undefined && query !== undefined)
      throw usageError('sources inspect takes --table or --query, one of them.');
    return sourceInVariable(typed, { table, query }, await app.places());
  }
  if (table !== undefined || query !== undefined) throw usageError('--table and --query are for a database: env:NAME.');
  if (/^[A-Za-z][\w-]*$/.test(typed)) return declaredSource(app, typed);
  const { repo } = app.config.values;
  const at = async (path: string) => sourceAtPath(path, repo, await app.places());
  if (/^\w+:\/\//.test(typed)) return at(typed);
  // As it is to be written: a path of a definition starts at the feature repository; what lies outside of the project, which
  // may move, is named whole.
  const full = context.path(typed);
  const isOutside = relative(app.config.directory, full).startsWith('..');
  return at(isOutside ? full : relative(repo, full));
}

async function declaredSource(app: App, name: string): Promise<SourceSpec> {
  const { sources } = (await app.repository()).manifest;
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (source !== undefined) return source;
  throw new HeadraceError(
    'HR_UNKNOWN_SOURCE',
    `the feature repository has no source "${name}".${didYouMeanOf('sources', name, Object.keys(sources))}`,
  );
}

const list = defineCommand({
  usage: 'list',
  summary: 'list the sources of the feature repository: kind, place, columns',
  example: 'headrace sources list',
  columns: { TIME: 'the column that says when it happened' },
  async run(context) {
    const app = await context.app('read');
    const sources = Object.values((await app.repository()).manifest.sources);
    const rows = sources.map((source) => [
      source.name,
      source.kind,
      shownPlace(source),
      String(source.columns.length + source.derive.length),
      source.eventTime,
    ]);
    return {
      json: {
        sources: sources.map(({ name, kind, location, columns, derive, eventTime }) => ({
          name,
          kind,
          location,
          columns: [...columns, ...derive].map((column) => ({ name: column.name, type: typeName(column.type) })),
          eventTime,
        })),
      },
      text: formatTable(
        [['NAME', 'KIND', 'PLACE', 'COLUMNS', 'TIME'], ...rows],
        `No sources in ${join(app.config.values.repo, '')}. \`headrace sources inspect PLACE\` prints one to paste.`,
      ),
    };
  },
});

/** A location holds no secret: of a database it names the variable. */
function shownPlace({ location }: SourceSpec): string {
  const { path, connection, catalog, table, query, ...others } = location;
  if (path !== undefined) return path;
  if (catalog !== undefined) return `${catalog} ${table}`;
  if (connection !== undefined)
    return `${connection} ${table ?? (query === undefined ? '' : `(${query.replaceAll(/\s+/g, ' ').slice(0, 60)})`)}`;
  const rest = Object.values(others).join(' ');
  return rest === '' ? '-' : rest;
}

export const sourcesCommand = defineGroup('sources', 'look at places and sources', [inspect, list]);
