// Models that a run's `registerModel` steps registered elsewhere: where this registry has not got them, they are registered here too.

import { type Json, toHeadraceError } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { readOutput } from '../driver/step-results.ts';
import type { TaskOutput } from '../engine/batch.ts';
import { readOrder } from '../step/order.ts';
import type { SyncProblem } from './problems.ts';

/** What a step of kind `registerModel` gave of one model. */
export interface SyncedModel {
  readonly model: string;
  /** SHA-256 of its ONNX file, in the artifact store. */
  readonly artifact: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly runId: string;
  /** The id of the training set that it was made from. */
  readonly trainingSet?: string;
}

/** Gives the version that this registry has of it; safe to repeat. Aliases stay as they are. */
export type RegisterSynced = (model: SyncedModel) => Promise<{ readonly version: number; readonly isNew: boolean }>;

export interface KeptModel {
  readonly model: string;
  readonly version: number;
  /** It was registered by this. */
  readonly isNew: boolean;
}

export interface KeepModels {
  /** Before the row of the task that registered them. `key`: where its result lies. */
  keep(task: {
    readonly run: string;
    readonly key: string;
    readonly order: string | null;
    readonly output: TaskOutput;
  }): Promise<void>;
  list(): readonly KeptModel[];
}

/** What can not be registered here is told, and keeps no row from being made: it may never be. */
export function createKeepModels(
  objects: ObjectStore,
  register: RegisterSynced | undefined,
  onProblem: (problem: SyncProblem) => void,
): KeepModels {
  const kept = new Map<string, KeptModel>();
  return {
    async keep({ run, key, order, output }) {
      if (register === undefined) return;
      const given = await readOutput(objects, output);
      const { trainingSet } = order === null ? {} : await readOrder(objects, order);
      for (const one of (Array.isArray(given) ? given : [given]) as readonly Json[]) {
        const made = modelOf(one);
        if (made === undefined) continue;
        const { model } = made;
        try {
          const found = await register({ ...made, runId: run, ...(trainingSet === undefined ? {} : { trainingSet }) });
          kept.set(`${model} ${found.version}`, { model, ...found });
        } catch (error) {
          const { code, message } = toHeadraceError(error);
          if (code === 'HR_STORAGE_UNAVAILABLE') throw error;
          const reason = `model "${model}" of it can't be registered here: ${message.replace(/\.$/, '')}; mend that, and register its file ${made.artifact} by hand`;
          onProblem({ key, reason });
        }
      }
    },
    list: () => [...kept.values()],
  };
}

function modelOf(value: Json): Pick<SyncedModel, 'model' | 'artifact' | 'metrics'> | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  const { model, artifact, metrics } = value as Readonly<Record<string, Json>>; // an object, as just looked at
  if (typeof model !== 'string' || typeof artifact !== 'string' || !/^[0-9a-f]{64}$/.test(artifact)) return undefined;
  const numbers = Object.entries(metrics ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  return { model, artifact, metrics: Object.fromEntries(numbers) };
}
