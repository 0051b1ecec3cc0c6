// `headrace models register | list | show | alias`.

import { formatTimestamp } from '../core/index.ts';
import { defineCommand, defineGroup } from './command.ts';
import { describeSignature, presentVersion } from './describe-version.ts';
import { registerModelCommand } from './register-model.ts';
import { formatTable } from './table.ts';

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
      json: { model: name, versions: versions.map(presentVersion) },
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
    return { json: presentVersion(aliased), text: `${name}: ${aliasName} is version ${aliased.version}` };
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
    return { json: presentVersion(retired), text: `${name}: version ${retired.version} is retired` };
  },
});

export const modelsCommand = defineGroup('models', 'register, list, show, alias and retire models', [
  registerModelCommand,
  list,
  show,
  alias,
  unalias,
  retire,
]);
