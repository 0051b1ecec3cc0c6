// The evaluation of a model as a step: its figures on rows that the steps before made, by slices, beside another version's.

import { HeadraceError } from '../../core/index.ts';
import { resolveService, type StepAction } from '../../definitions/index.ts';
import type { Evaluated } from '../../models/index.ts';
import type { BuiltInTaskContext } from '../../orchestrator/index.ts';
import { type ModelVersion, versionTakes } from '../../registry/index.ts';
import type { App } from '../open-app.ts';
import { openFile, openVersion } from '../open-version.ts';
import { specToRegister } from '../register-model.ts';
import { evaluationCard } from './evaluation-card.ts';
import { type ModelInput, modelsOf, type RowsInput, rowsOf } from './evaluation-inputs.ts';
import { type Scored, type Scorer, scoreRows } from './score-rows.ts';

type EvaluateAction = Extract<StepAction, { kind: 'evaluate' }>;

export const CARD = 'evaluation.html';

/**
 * Gives the figures of the needed model, or the array of them where needs have several: `{ model, version?, artifact, task,
 * label, rows, metrics, calibration?, slices, better, against, files }`. Throws HR_STEP_FAILED where needs lack rows or a
 * model, or columns are missing; else as the runtime does.
 */
export async function runEvaluate(app: App, action: EvaluateAction, context: BuiltInTaskContext): Promise<unknown> {
  const rows = rowsOf(context.needs);
  const models = await modelsOf(context.needs, action.model);
  const label = labelOf(action, rows);
  const champion = action.against === undefined ? undefined : await versionUnder(app, action.model, action.against);
  if (action.against !== undefined && champion === undefined)
    context.log(
      `no version of ${action.model} has the alias "${action.against}" yet: there is nothing to be better than`,
    );
  const all = [];
  for (const model of models) all.push(await evaluateOne(app, { action, rows, label, model, champion }, context));
  return all.length === 1 ? all[0] : all;
}

interface One {
  readonly action: EvaluateAction;
  readonly rows: RowsInput;
  readonly label: string;
  readonly model: ModelInput;
  readonly champion: ModelVersion | undefined;
}

async function evaluateOne(app: App, given: One, { log, signal }: BuiltInTaskContext): Promise<unknown> {
  const { action, rows, label, model, champion } = given;
  const { evaluateRows, PRIMARY } = await import('../../models/index.ts');
  const own = await scorerOf(app, action.model, model, rows);
  const scorers = champion === undefined ? [own] : [own, await versionScorer(app, champion)];
  const scored = await scoreRows(app, { rows, scorers, label, columns: action.slices, signal });
  const [scores, against] = scored.scores;
  if (scores === undefined) throw new HeadraceError('HR_STEP_FAILED', 'nothing was scored');
  const task = taskOf(scored, label);
  const ofOther = against === undefined ? {} : { against };
  const figures = evaluateRows({ task, labels: scored.labels, scores, slices: scored.slices, ...ofOther });
  const primary = PRIMARY[task];
  const better = figures.against === undefined || figures.against.better[primary] === true;
  const shown = { name: own.name, model: action.model, label, rows: rows.path, against: champion?.version ?? null };
  const html = evaluationCard({ ...shown, alias: action.against ?? null, primary, better, figures, scored });
  log(sentenceOf(figures, own.name, champion, primary));
  if (scored.unlabelled > 0) log(`${scored.unlabelled} rows without a "${label}" count nowhere`);
  const { slices, metrics, calibration, against: compared } = figures;
  return {
    model: action.model,
    ...('version' in model ? { version: model.version } : {}),
    artifact: own.artifact,
    task,
    label,
    rows: figures.rows,
    ...(rows.id === undefined ? {} : { training_set: rows.id }),
    metrics,
    ...(calibration === undefined ? {} : { calibration }),
    slices,
    // By the task's own metric. Where there is no such version yet, whatever comes first is better than none.
    better,
    primary,
    against:
      compared === undefined || champion === undefined
        ? null
        : { alias: action.against, version: champion.version, ...compared },
    files: { [CARD]: await storeCard(app, html) },
  };
}

async function storeCard(app: App, html: string): Promise<object> {
  const { putBlob } = await import('../../storage/index.ts');
  const bytes = Buffer.from(html);
  const sha256 = await putBlob(await app.objects(), bytes);
  return { sha256, size: bytes.length, uri: `blob:${sha256}` };
}

function labelOf({ label }: EvaluateAction, { labels, path }: RowsInput): string {
  if (label !== undefined) return label;
  const [only, ...others] = labels;
  if (only !== undefined && others.length === 0) return only;
  const came = only === undefined ? `${path} says of none` : `the training set has ${labels.join(', ')}`;
  throw new HeadraceError('HR_STEP_FAILED', `evaluate(…) needs { label }, the column that holds what was so: ${came}`);
}

function taskOf({ isBinary, isBoolean, scores }: Scored, label: string): 'binary' | 'regression' {
  const odd = scores.flatMap((own) => own.find((score) => score < 0 || score > 1) ?? []);
  if (odd[0] === undefined) return isBinary ? 'binary' : 'regression';
  if (!isBoolean) return 'regression';
  const sentence = `label "${label}" is true or false, and the model answers ${odd[0]}: its first number is to be the probability of true`;
  throw new HeadraceError('HR_STEP_FAILED', sentence);
}

function sentenceOf(
  { metrics, against }: Evaluated,
  name: string,
  champion: ModelVersion | undefined,
  primary: string,
): string {
  const own = `${name}: ${primary} ${metrics[primary]?.toPrecision(5) ?? 'undefined'}`;
  if (against === undefined || champion === undefined) return own;
  return `${own}, version ${champion.version}: ${against.metrics[primary]?.toPrecision(5) ?? 'undefined'}`;
}

/** Undefined where no version of the model has the alias. */
export async function versionUnder(app: App, model: string, alias: string): Promise<ModelVersion | undefined> {
  const { models } = await app.registry();
  const isKnown = (await models.list()).some(({ name, versions }) => name === model && versions > 0);
  const versions = isKnown ? await models.versions(model) : [];
  return versions.find(({ aliases }) => aliases.includes(alias));
}

async function scorerOf(
  app: App,
  model: string,
  input: ModelInput,
  rows: RowsInput,
): Promise<Scorer & { readonly artifact: string }> {
  if ('version' in input) return versionScorer(app, await (await app.registry()).models.get(model, input.version));
  const { getTrainingSet } = await import('../../offline/index.ts');
  const { manifest, hash } = await app.applied();
  // It takes what it was trained on, as its registration will see it.
  const record = rows.id === undefined ? undefined : await getTrainingSet({ database: await app.database() }, rows.id);
  const trained =
    record === undefined || record.manifestHash === hash
      ? manifest
      : (await app.definitionsOf(record.manifestHash)).manifest;
  const spec = specToRegister(trained, model);
  const takes = { spec, service: resolveService(trained, spec.service) };
  const { artifact } = input;
  return { name: `the new model`, artifact, ...takes, open: (runtime) => openFile(app, runtime, input, takes) };
}

async function versionScorer(app: App, version: ModelVersion): Promise<Scorer & { readonly artifact: string }> {
  const { artifact } = version;
  const { manifest } = await app.definitionsOf(version.manifestHash);
  const takes = versionTakes(manifest, version);
  return {
    name: `version ${version.version}`,
    artifact,
    ...takes,
    open: (runtime) => openVersion(app, runtime, version),
  };
}
