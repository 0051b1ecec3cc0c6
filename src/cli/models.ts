// `headrace models register | list | show | alias`.

import { formatTimestamp } from '../core/index.ts';
import { defineCommand, defineGroup } from './command.ts';
import { describeSignature, presentVersion } from './describe-version.ts';
import { findPlain, isPlain, listPlain, presentPlain, showPlain } from './plain-models.ts';
import { registerModelCommand } from './register-model.ts';
import { formatTable } from './table.ts';

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
    const registry = await (await context.app()).registry();
    const { models, plainModels } = registry;
    if ((await findPlain(registry, name)) !== undefined) {
      const aliased = await plainModels.setAlias(name, aliasName, version, context.environment.actor);
      return { json: presentPlain(aliased), text: `${name}: ${aliasName} is version ${aliased.version}` };
    }
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
