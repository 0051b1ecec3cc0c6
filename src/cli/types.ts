// `headrace types`: the columns of endpoints, services and sources as a module, for clients without a feature repository.

import { readFile } from 'node:fs/promises';
import type { Api } from '../client/index.ts';
import { counted, HeadraceError, messageOf } from '../core/index.ts';
import { askServer } from './ask-server.ts';
import { type CommandContext, type CommandOptions, defineCommand, textOption, usageError } from './command.ts';
import { isMissing } from './is-missing.ts';
import { checkOutputFile, writeOutputFile } from './output-file.ts';
import { type ModuleForm, writeApiModule } from './write-api-module.ts';

const FORMS: Readonly<Record<string, ModuleForm>> = { '.ts': 'ts', '.mts': 'ts', '.js': 'js', '.mjs': 'js' };

export const typesCommand = defineCommand({
  usage: 'types',
  summary:
    'write a module with the columns of every endpoint, service and source, which a TypeScript client is made with',
  example:
    'headrace types --out src/headrace-api.ts\n' +
    'headrace types --url https://features.example.org --out src/headrace-api.ts\n' +
    'headrace types --out src/headrace-api.ts --check',
  options: (command) =>
    command
      .option('--url <url>', 'of a server that runs: by what that serves (default: by what is applied in the registry)')
      .option(
        '--out <file>',
        'where to write it: .ts or .mts, or .js or .mjs with types in comments (default: print it)',
      )
      .option('--check', 'write nothing; the file of --out must be as it would be written'),
  exitCodes: { 0: 'it is written, or is as it should be', 1: 'with --check: the file is missing or another' },
  notes: 'Where the server takes keys, HEADRACE_KEY holds one with the role `read`.',
  async run(context, _args, options) {
    const isChecked = options['check'] === true;
    const out = textOption(options, 'out');
    if (isChecked && out === undefined) throw usageError('--check holds a file against it: name that with --out.');
    const form = formOf(out);
    const path = out === undefined ? undefined : context.path(out);
    if (path !== undefined && !isChecked) await checkOutputFile(path);
    const api = await readApi(context, options);
    const text = writeApiModule(api, form);
    if (path === undefined) return { json: api, text: text.trimEnd() };
    if (isChecked) {
      const isSame = (await textAt(path)) === text;
      const told = isSame
        ? `${out} is up to date.`
        : `${out} is missing or out of date. Write it by the same command without --check.`;
      return { json: { path, upToDate: isSame }, text: told, exitCode: isSame ? 0 : 1 };
    }
    await writeOutputFile(path, text);
    const { endpoints, services, sources } = api;
    const [e, s, p] = [Object.keys(endpoints), Object.keys(services), Object.keys(sources)];
    return {
      json: { path, endpoints: e, services: s, sources: p },
      text: `${out}: ${counted(e.length, 'endpoint')}, ${counted(s.length, 'service')}, ${counted(p.length, 'source')}.`,
    };
  },
});

function formOf(out: string | undefined): ModuleForm {
  if (out === undefined) return 'ts';
  const [ending = ''] = /\.\w+$/.exec(out) ?? [];
  const form = Object.hasOwn(FORMS, ending) && !out.endsWith('.d.ts') ? FORMS[ending] : undefined;
  if (form !== undefined) return form;
  throw usageError(
    `--out takes a file that ends in .ts, .mts, .js or .mjs, as the client reads it when it runs; got ${out}.`,
  );
}

async function readApi(context: CommandContext, options: CommandOptions): Promise<Api> {
  const { appliedApi, apiOfDocument } = await import('../serving/index.ts');
  if (textOption(options, 'url') !== undefined)
    return apiOfDocument(await askServer(context, options, '/openapi.json'));
  const app = await context.app('read');
  return appliedApi(await app.applied());
}

async function textAt(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw new HeadraceError('HR_USAGE', `${path} can't be read: ${messageOf(thrown)}.`, { cause: thrown });
  }
}
