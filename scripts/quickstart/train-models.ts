// Two models of the delay: trained by the pipeline, or, where Python can't be had, those kept in feature_repo/models.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { headrace, root } from './headrace.ts';
import { step, whole } from './story.ts';

export interface TrainedModel {
  readonly kind: string;
  readonly version: number;
  /** On the last fifth in time, which it was not trained on. */
  readonly auc: number;
}

export interface Training {
  readonly models: readonly TrainedModel[];
  /** The id of the training set. */
  readonly trainingSet: string;
}

interface RunDocument {
  readonly id: string;
  readonly steps: readonly { readonly name: string; readonly result?: unknown }[];
}

/** What feature_repo/models/models.json says of each model kept there. */
interface KeptModel {
  readonly kind: string;
  readonly file: string;
  readonly auc: number;
  readonly leaky_auc: number;
}

/** Runs the pipeline: training set, two models side by side, registration. */
export async function trainModels(): Promise<Training> {
  return await step(
    'Train',
    'The pipeline train_delay: a training set of features as they were known at each departure, two scikit-learn\n' +
      'models side by side on it (the last fifth in time held out), ONNX, registration.',
    async () => {
      const run = await headrace<RunDocument>('run train_delay');
      // What the steps of feature_repo/train-delay.ts give.
      const data = resultOf(run, 'export') as { id: string; rows: number; features: readonly string[] };
      const fits = resultOf(run, 'fit') as readonly { kind: string; auc: number }[];
      const registered = resultOf(run, 'register') as readonly { version: number }[];
      const models = fits.map(({ kind, auc }, at) => ({ kind, auc, version: registered[at]?.version ?? 0 }));
      const shape = `${whole(data.rows)} rows × ${data.features.length} features`;
      const names = models.map(({ kind, version }) => `version ${version} (${kind})`).join(', ');
      return {
        result: { models, trainingSet: data.id },
        summary: `training set ${data.id}: ${shape}; registered ${names}`,
      };
    },
  );
}

/** Makes the training set all the same, and registers the models that the same script made earlier. */
export async function registerKeptModels(): Promise<Training & { readonly claims: Readonly<Record<string, number>> }> {
  // The repository's own file; its README describes it.
  const kept = JSON.parse(await readFile(join(root, 'feature_repo/models/models.json'), 'utf8')) as KeptModel[];
  const training = await step(
    'Register models made earlier',
    'A training set of features as they were known at each departure; then the models of feature_repo/models,\n' +
      'which feature_repo/train.py made from such a set (their README says how). Their AUC is from that day.',
    async () => {
      const data = await headrace<{ id: string; rows: number }>(
        'training-set create --service delay_features --spine feature_repo/data/spine.parquet --timestamp scheduled_at ' +
          '--label late --out .headrace/offline/training-sets/quickstart.parquet',
      );
      const models: TrainedModel[] = [];
      for (const { kind, file, auc } of kept) {
        const { version } = await headrace<{ version: number }>(
          `models register delay_classifier feature_repo/models/${file} --training-set ${data.id} --metric auc=${auc}`,
        );
        models.push({ kind, auc, version });
      }
      const summary = `training set ${data.id}: ${whole(data.rows)} rows; registered ${models.length} versions`;
      return { result: { models, trainingSet: data.id }, summary };
    },
  );
  return { ...training, claims: Object.fromEntries(kept.map(({ kind, leaky_auc }) => [kind, leaky_auc])) };
}

function resultOf(run: RunDocument, name: string): unknown {
  const found = run.steps.find((candidate) => candidate.name === name);
  if (found?.result === undefined) throw new Error(`run ${run.id} has no result of step "${name}"`);
  return found.result;
}
