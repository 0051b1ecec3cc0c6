// `headrace models register | list | show | alias`.

import { readFile } from 'node:fs/promises';
import { formatTimestamp, HeadraceError, messageOf } from '../core/index.ts';
import type { Signature, TensorSpec } from '../models/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import { collect, defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { isMissing } from './read-event-file.ts';
import { formatTable } from './table.ts';

const register = defineCommand({
  usage: 'register <name> <file>',
  summary: 'check an ONNX file against the model’s features, try it once, and register it as the next version',
  example: 'headrace models register delay_classifier model.onnx --training-set 3f2a9c1d --alias champion',
  options: (command) =>
    command
      .option('--training-set <id>', 'the training set that it was trained on')
      .option('--service <name>', 'the feature service that it takes; must be the model’s')
      .option('--alias <name>', 'an alias to point at it')
      .option('--metric <name=value>', 'a metric to keep with it; may come several times', collect),
  async run(context, [name = '', file = ''], options) {
    const metrics = readMetrics((options['metric'] as readonly string[] | undefined) ?? []);
    const onnx = await readModelFile(context.path(file));
    const app = await context.app();
    const { registerModelFile } = await import('../app/index.ts');
    const trainingSet = textOption(options, 'trainingSet');
    const service = textOption(options, 'service');
    const alias = textOption(options, 'alias');
    const registered = await registerModelFile(app, {
      model: name,
      onnx,
      metrics,
      ...(trainingSet === undefined ? {} : { trainingSet }),
      ...(service === undefined ? {} : { service }),
      ...(alias === undefined ? {} : { alias }),
    });
    for (const warning of registered.warnings) context.tell(`warning: ${warning}`);
    return {
      json: present(registered),
      text: `${registered.model} version ${registered.version}${registered.aliases.length > 0 ? ` (${registered.aliases.join(', ')})` : ''}`,
    };
  },
});

const list = defineCommand({
  usage: 'list',
  summary: 'list models',
  example: 'headrace models list',
  async run(context) {
    const models = await (await (await context.app('read')).registry()).models.list();
    const rows = models.map((model) => [
      model.name,
      model.service ?? '(not defined any more)',
      String(model.versions),
      Object.entries(model.aliases)
        .map(([alias, version]) => `${alias}=${version}`)
        .join(' '),
    ]);
    return {
      json: { models },
      text: formatTable(
        [['MODEL', 'SERVICE', 'VERSIONS', 'ALIASES'], ...rows],
        'No models. Define one with model(…), run `headrace apply`, then `headrace models register NAME FILE.onnx`.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <name>',
  summary: 'show a model’s versions',
  example: 'headrace models show delay_classifier',
  async run(context, [name = '']) {
    const versions = await (await (await context.app('read')).registry()).models.versions(name);
    const rows = versions.map((version) => [
      String(version.version),
      version.aliases.join(' '),
      version.artifact.slice(0, 12),
      version.trainingSet ?? '',
      version.runId ?? '',
      describeSignature(version.signature),
      Object.entries(version.metrics)
        .map(([metric, value]) => `${metric}=${value}`)
        .join(' '),
      formatTimestamp(version.createdAtMicros),
    ]);
    return {
      json: { model: name, versions: versions.map(present) },
      text: formatTable([
        ['VERSION', 'ALIASES', 'ARTIFACT', 'TRAINING SET', 'RUN', 'SIGNATURE', 'METRICS', 'CREATED'],
        ...rows,
      ]),
    };
  },
});

const alias = defineCommand({
  usage: 'alias <name> <alias> <version>',
  summary: 'point an alias at a version: its number, another alias, or latest',
  example: 'headrace models alias delay_classifier champion 3',
  async run(context, [name = '', aliasName = '', version = '']) {
    const { models } = await (await context.app()).registry();
    const { version: number } = await models.resolve(name, version);
    const aliased = await models.setAlias(name, aliasName, number, context.environment.actor);
    return { json: present(aliased), text: `${name}: ${aliasName} is version ${aliased.version}` };
  },
});

const unalias = defineCommand({
  usage: 'unalias <name> <alias>',
  summary: 'take an alias away',
  example: 'headrace models unalias delay_classifier challenger',
  async run(context, [name = '', aliasName = '']) {
    const { models } = await (await context.app()).registry();
    const { version } = await models.removeAlias(name, aliasName, context.environment.actor);
    return { json: { model: name, alias: aliasName, version }, text: `${name}: ${aliasName} was version ${version}` };
  },
});

const retire = defineCommand({
  usage: 'retire <name> <version>',
  summary: 'let go of a version for good: it can’t be served, and what it alone read is no longer kept',
  example: 'headrace models retire delay_classifier 2',
  async run(context, [name = '', version = '']) {
    const { models } = await (await context.app()).registry();
    const { version: number } = await models.resolve(name, version);
    const retired = await models.retire(name, number, context.environment.actor);
    return { json: present(retired), text: `${name}: version ${retired.version} is retired` };
  },
});

export const modelsCommand = defineGroup('models', 'register, list, show, alias and retire models', [
  register,
  list,
  show,
  alias,
  unalias,
  retire,
]);

function present(version: ModelVersion): object {
  const { createdAtMicros, manifestHash, trainingSet, runId, isRetired, spec: _, ...others } = version;
  return {
    ...others,
    training_set: trainingSet,
    run_id: runId,
    manifest_hash: manifestHash,
    retired: isRetired,
    created_at: formatTimestamp(createdAtMicros),
  };
}

/** `features float32[N,22] → probability float32[N,1]`; N is the number of rows, ? any other size that is open. */
function describeSignature(signature: ModelVersion['signature']): string {
  // The registry keeps what the runtime read of the file; a version of before that has null.
  const { inputs, outputs } = (signature ?? { inputs: [], outputs: [] }) as unknown as Signature;
  const tensor = ({ name, type, shape }: TensorSpec): string => {
    const sizes = shape.map((size, at) => (size === null ? (at === 0 ? 'N' : '?') : String(size)));
    return `${name} ${type}[${sizes.join(',')}]`;
  };
  if (inputs.length === 0 && outputs.length === 0) return '';
  return `${inputs.map(tensor).join(', ')} → ${outputs.map(tensor).join(', ')}`;
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
