// `headrace models register | list | show | alias`.

import { readFile } from 'node:fs/promises';
import { formatTimestamp, HeadraceError, messageOf } from '../core/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import { findPlain, isPlain, listPlain, presentPlain, showPlain } from './plain-models.ts';
import { describeSignature } from './model-signature.ts';
import { collect, defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { isMissing } from './read-event-file.ts';
import { formatTable } from './table.ts';

const register = defineCommand({
  usage: 'register <name> <file>',
  summary:
    'check an ONNX file against the model’s features, try it once, and register it as the next version; without a definition of the name as a plain model, served at /v2',
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
    const { isPlainName, registerModelFile, registerPlainModel } = await import('../app/index.ts');
    const trainingSet = textOption(options, 'trainingSet');
    const service = textOption(options, 'service');
    const alias = textOption(options, 'alias');
    // What it was trained on makes it a model with features, which a definition says.
    if (trainingSet === undefined && service === undefined && (await isPlainName(app, name))) {
      const plain = await registerPlainModel(app, {
        model: name,
        onnx,
        metrics,
        ...(alias === undefined ? {} : { alias }),
      });
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
    });
    for (const warning of registered.warnings) context.tell(`warning: ${warning}`);
    return {
      json: present(registered),
      text: describeRegistered(registered),
    };
  },
});

const list = defineCommand({
  usage: 'list',
  summary: 'list models',
  example: 'headrace models list',
  async run(context) {
    const registry = await (await context.app('read')).registry();
    const defined = await registry.models.list();
    const plain = await registry.plainModels.list();
    const models = [
      ...defined,
      ...plain.filter(({ name }) => defined.every((one) => one.name !== name)).map(listPlain),
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
    const rows = models.map((model) => [
      model.name,
      model.service ?? (isPlain(model) ? '(plain)' : '(not defined any more)'),
      String(model.versions),
      Object.entries(model.aliases)
        .map(([alias, version]) => `${alias}=${version}`)
        .join(' '),
    ]);
    return {
      json: { models },
      text: formatTable(
        [['MODEL', 'SERVICE', 'VERSIONS', 'ALIASES'], ...rows],
        'No models. `headrace models register NAME FILE.onnx` makes one; model(…) defines one that takes features.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <name>',
  summary: 'show a model’s versions',
  example: 'headrace models show delay_classifier',
  async run(context, [name = '']) {
    const registry = await (await context.app('read')).registry();
    const plain = await findPlain(registry, name);
    if (plain !== undefined) return showPlain(plain);
    const versions = await registry.models.versions(name);
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
    const registry = await (await context.app()).registry();
    const { models, plainModels } = registry;
    if ((await findPlain(registry, name)) !== undefined) {
      const aliased = await plainModels.setAlias(name, aliasName, version, context.environment.actor);
      return { json: presentPlain(aliased), text: `${name}: ${aliasName} is version ${aliased.version}` };
    }
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
    const registry = await (await context.app()).registry();
    const { removeAlias } = (await findPlain(registry, name)) === undefined ? registry.models : registry.plainModels;
    const { version } = await removeAlias(name, aliasName, context.environment.actor);
    return { json: { model: name, alias: aliasName, version }, text: `${name}: ${aliasName} was version ${version}` };
  },
});

const retire = defineCommand({
  usage: 'retire <name> <version>',
  summary: 'let go of a version for good: it can’t be served, and what it alone read is no longer kept',
  example: 'headrace models retire delay_classifier 2',
  async run(context, [name = '', version = '']) {
    const registry = await (await context.app()).registry();
    const { models, plainModels } = registry;
    if ((await findPlain(registry, name)) !== undefined) {
      const retired = await plainModels.retire(name, version, context.environment.actor);
      return { json: presentPlain(retired), text: `${name}: version ${retired.version} is retired` };
    }
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

function describeRegistered({ model, version, aliases }: Pick<ModelVersion, 'model' | 'version' | 'aliases'>): string {
  return `${model} version ${version}${aliases.length > 0 ? ` (${aliases.join(', ')})` : ''}`;
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
