// `headrace models register`: a file, or the versions that a graph is made of.

import { readFile } from 'node:fs/promises';
import type { RegisteredModel, RegisterGraph } from '../app/index.ts';
import { HeadraceError, messageOf } from '../core/index.ts';
import { collect, type CommandContext, type CommandResult, defineCommand, textOption, usageError } from './command.ts';
import { pinsText, presentVersion } from './describe-version.ts';
import { presentPlain } from './plain-models.ts';
import { isMissing } from './is-missing.ts';

const NODE_HELP =
  'which version of its model a node of the graph runs: its number, an alias, or latest; may come several times. Default: champion, else the newest';

export const registerModelCommand = defineCommand({
  usage: 'register <name> [file]',
  summary:
    'check an ONNX file, or versions of the models that a graph is made of, against the model’s features, try it, and register it as the next version; without a definition of the name as a plain model, served at /v2',
  example: 'headrace models register delay_classifier model.onnx --training-set 3f2a9c1d --alias champion',
  options: (command) =>
    command
      .option('--training-set <id>', 'the training set that it was trained on')
      .option('--service <name>', 'the feature service that it takes; must be the model’s')
      .option('--alias <name>', 'an alias to point at it')
      .option('--graph', 'the model is made of others: pin a version of each, and no file')
      .option('--node <name=version>', NODE_HELP, collect)
      .option('--metric <name=value>', 'a metric to keep with it; may come several times', collect)
      .option(
        '--batch <true|false>',
        'whether rows of different callers may run as one batch, such as `--batch false` where a row’s answer depends on the rows beside it. Default: as the definition says, else as rows show',
      ),
  async run(context, [name = '', file = ''], options) {
    const metrics = readMetrics((options['metric'] as readonly string[] | undefined) ?? []);
    const pins = (options['node'] as readonly string[] | undefined) ?? [];
    const isGraph = options['graph'] === true;
    checkWhatIsRegistered(isGraph, file, pins, options);
    if (isGraph) return registerPins(context, name, { metrics, nodes: readPins(pins) }, textOption(options, 'alias'));
    const onnx = await readModelFile(context.path(file));
    const app = await context.app();
    const { isPlainName, registerModelFile, registerPlainModel } = await import('../app/index.ts');
    const trainingSet = textOption(options, 'trainingSet');
    const service = textOption(options, 'service');
    const alias = textOption(options, 'alias');
    const batch = readBatch(textOption(options, 'batch'));
    // What it was trained on makes it a model with features, which a definition says.
    if (trainingSet === undefined && service === undefined && (await isPlainName(app, name))) {
      const aliased = alias === undefined ? {} : { alias };
      const plain = await registerPlainModel(app, { model: name, onnx, metrics, ...aliased, ...batch });
      for (const warning of plain.warnings) context.tell(`warning: ${warning}`);
      context.tell(`no definition has "${name}": it is served by its own inputs, at /v2/models/${name}`);
      return { json: presentPlain(plain), text: describeRegistered(plain) };
    }
    const registered = await registerModelFile(app, {
      model: name,
      onnx,
      metrics,
      ...(trainingSet === undefined ? {} : { trainingSet }),
      ...(service === undefined ? {} : { service }),
      ...(alias === undefined ? {} : { alias }),
      ...batch,
    });
    return tellRegistered(context, registered);
  },
});

function tellRegistered(context: CommandContext, registered: RegisteredModel): CommandResult {
  for (const warning of registered.warnings) context.tell(`warning: ${warning}`);
  const pinned = pinsText(registered.signature);
  return {
    json: presentVersion(registered),
    text: `${describeRegistered(registered)}${pinned === '' ? '' : `: ${pinned}`}`,
  };
}

function describeRegistered({
  model,
  version,
  aliases,
}: Pick<RegisteredModel, 'model' | 'version' | 'aliases'>): string {
  return `${model} version ${version}${aliases.length > 0 ? ` (${aliases.join(', ')})` : ''}`;
}

async function registerPins(
  context: CommandContext,
  model: string,
  given: Pick<RegisterGraph, 'metrics' | 'nodes'>,
  alias: string | undefined,
): Promise<CommandResult> {
  const app = await context.app();
  const { registerGraph } = await import('../app/index.ts');
  return tellRegistered(
    context,
    await registerGraph(app, { model, ...given, ...(alias === undefined ? {} : { alias }) }),
  );
}

function checkWhatIsRegistered(
  isGraph: boolean,
  file: string,
  pins: readonly string[],
  options: Readonly<Record<string, unknown>>,
): void {
  if (!isGraph && pins.length > 0) throw usageError('--node goes with --graph.');
  if (!isGraph && file === '') throw usageError('name the ONNX file; or --graph, for a model that is made of others.');
  if (isGraph && file !== '') throw usageError(`--graph takes no file, got "${file}".`);
  if (isGraph && textOption(options, 'batch') !== undefined)
    throw usageError('--batch does not go with --graph: the models of its nodes have their own.');
  const other = ['trainingSet', 'service'].find((name) => isGraph && textOption(options, name) !== undefined);
  if (other !== undefined)
    throw usageError(
      `--graph pins what is applied; --${other === 'service' ? other : 'training-set'} does not go with it.`,
    );
}

function readBatch(text: string | undefined): { readonly batch?: boolean } {
  if (text === undefined) return {};
  if (text !== 'true' && text !== 'false') throw usageError(`--batch takes true or false, got "${text}".`);
  return { batch: text === 'true' };
}

function readPins(written: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    written.map((text) => {
      const at = text.indexOf('=');
      if (at < 1 || at === text.length - 1) throw usageError(`--node takes name=version, got "${text}".`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

async function readModelFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (thrown) {
    if (isMissing(thrown)) throw new HeadraceError('HR_MODEL_UNREADABLE', `there is no file ${file}.`);
    throw new HeadraceError('HR_MODEL_UNREADABLE', `${file} cannot be read: ${messageOf(thrown)}`);
  }
}

function readMetrics(written: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    written.map((text) => {
      const [name, value] = [text.slice(0, text.indexOf('=')), Number(text.slice(text.indexOf('=') + 1))];
      if (!text.includes('=') || name === '' || !Number.isFinite(value))
        throw usageError(`--metric takes name=number, got "${text}".`);
      return [name, value];
    }),
  );
}
