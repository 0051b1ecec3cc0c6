// `headrace init DIR`: a project that works, and that an editor understands; `--repair` mends where its types come from.

import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HeadraceError } from '../core/index.ts';
import { type CommandContext, type CommandResult, defineCommand, usageError } from './command.ts';
import { EDITOR_TYPES_FILE, editorTypes } from './init/editor-types.ts';
import { makeShopData } from './init/shop-data.ts';
import { readTemplate, writeFiles } from './init/template.ts';

export const initCommand = defineCommand({
  usage: 'init <dir>',
  summary: 'make a small project that works: features, a model, a pipeline, data',
  example: 'headrace init shop && cd shop && headrace apply\nheadrace init --repair .',
  options: (command) =>
    command.option('--repair', 'only write anew where an editor finds the types of headrace, once either has moved'),
  run: async (context, [typed = ''], options) =>
    options['repair'] === true ? repair(context.path(typed)) : make(context, context.path(typed)),
});

async function make(context: CommandContext, directory: string): Promise<CommandResult> {
  await refuseUsed(directory);
  const { variables } = context.environment;
  const command = program(variables);
  const { purchases, baskets, events } = makeShopData(Date.now());
  const files = new Map([
    ...(await readTemplate({ project: projectName(directory), program: command, node: nodeProgram(variables) })),
    ['feature_repo/data/purchases.csv', purchases],
    ['feature_repo/data/baskets.csv', baskets],
    ['events.jsonl', events],
  ]);
  await writeFiles(directory, files);
  // Last: it looks where the folder really lies.
  await writeFile(join(directory, EDITOR_TYPES_FILE), editorTypes(directory));
  const next = ['apply', 'materialize --incremental', 'run train_return_risk', 'serve'];
  return {
    json: { directory, files: [...files.keys(), EDITOR_TYPES_FILE].sort() },
    text: [
      `Made ${directory}. Next:`,
      `  cd ${shellWord(directory)}`,
      ...next.map((words) => `  ${command} ${words}`),
      'README.md there goes on from here.',
    ].join('\n'),
  };
}

/** A repository that was just made may hold its own folder already. */
async function refuseUsed(directory: string): Promise<void> {
  const info = await stat(directory).catch(() => undefined);
  if (info === undefined) return;
  if (!info.isDirectory()) throw usageError(`${directory} is a file. Give a new folder.`);
  const existing = (await readdir(directory)).filter((name) => name !== '.git');
  if (existing.length === 0) return;
  const isProject = existing.includes('headrace.config.ts');
  const hint = isProject ? ' It is a project already: `--repair` mends its types.' : '';
  throw usageError(`${directory} is not empty. Give a new folder.${hint}`);
}

async function repair(directory: string): Promise<CommandResult> {
  const config = await readFile(join(directory, 'tsconfig.json'), 'utf8').catch(() => undefined);
  if (config === undefined) {
    const say = `there is no tsconfig.json in ${directory}. Give the folder of a project that \`headrace init\` made.`;
    throw new HeadraceError('HR_USAGE', say);
  }
  const path = join(directory, EDITOR_TYPES_FILE);
  const text = editorTypes(directory);
  const isSame = (await readFile(path, 'utf8').catch(() => undefined)) === text;
  if (!isSame) await writeFile(path, text);
  const isUsed = config.includes(EDITOR_TYPES_FILE);
  return {
    json: { directory, file: path, changed: !isSame, extended: isUsed },
    text: [
      isSame ? `${path} is as it should be.` : `Wrote ${path}.`,
      ...(isUsed ? [] : [`tsconfig.json does not use it yet: add "extends": "./${EDITOR_TYPES_FILE}" there.`]),
    ].join('\n'),
  };
}

function projectName(directory: string): string {
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '_')
    .replace(/^[^a-z]+/, '')
    .replace(/[_-]+$/, '')
    .slice(0, 60);
  return name === '' ? 'project' : name;
}

// A clone has no program of that name on the PATH: there it is npm that runs it, from any folder.
function program(variables: Readonly<Record<string, string | undefined>>): string {
  // Installed in a project: npm finds it from the project's folders.
  if (variables['npm_command'] === 'exec') return 'npx headrace';
  if (variables['npm_lifecycle_event'] !== 'headrace') return 'headrace';
  return `npm --prefix ${shellWord(resolve(import.meta.dirname, '../..'))} run -s headrace --`;
}

// A clone brings the Node that it needs; the user's own may be older, and read no TypeScript.
function nodeProgram(variables: Readonly<Record<string, string | undefined>>): string {
  const own = /\bnode\/v(\d+)/.exec(variables['npm_config_user_agent'] ?? '')?.[1];
  return own !== undefined && Number(own) < 24 ? shellWord(process.execPath) : 'node';
}

function shellWord(text: string): string {
  return /^[\w./:\\-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
