// What Headrace's own steps read besides what they are given: by it their cached results are found again, and no others.

import { existsSync } from 'node:fs';
import { type Json, silentProgress } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import type { BuiltInReads, CacheReads, StepOrder } from '../../orchestrator/index.ts';
import { appOfRevision } from '../app-of-revision.ts';
import type { App } from '../open-app.ts';
import { versionUnder } from './evaluate.ts';
import { rowsOf } from './evaluation-inputs.ts';
import { spineOf } from './training-set.ts';

type ActionOf<Kind extends StepAction['kind']> = Extract<StepAction, { kind: Kind }>;

export function createBuiltInReads(app: App): BuiltInReads {
  return {
    trainingSet: async (action, order) => trainingSetReads(await appOfRevision(app, order.definitions), action),
    evaluate: async (action, order) => evaluateReads(await appOfRevision(app, order.definitions), action, order),
  };
}

async function trainingSetReads(app: App, action: ActionOf<'trainingSet'>): Promise<CacheReads> {
  const { readSetInputs } = await import('../../offline/index.ts');
  const deps = await app.offline(silentProgress);
  const { directory } = deps.definitions;
  const { service, labels, boundary } = action;
  const spine = spineOf(action.spine, directory);
  const { reads, unknown } = await readSetInputs(deps, { service, spine, directory, labels, boundary });
  return { reads, ...(unknown.length === 0 ? {} : { off: unknown.join('; ') }) };
}

async function evaluateReads(app: App, action: ActionOf<'evaluate'>, order: StepOrder): Promise<CacheReads> {
  const { definitionsReached, openFileHashes, planTrainingSet } = await import('../../offline/index.ts');
  const { manifest } = await app.applied();
  const model = manifest.models[action.model];
  const reads: Record<string, Json> = {};
  if (model !== undefined) {
    const { description: _d, owner: _o, tags: _t, ...meaning } = model;
    const request = { service: model.service, timestamp: '', labels: [], boundary: 'at' } as const;
    Object.assign(reads, definitionsReached(manifest, planTrainingSet(manifest, request)));
    reads[`definitions.model.${model.name}`] = meaning as unknown as Json; // a spec is plain data
  }
  if (action.against !== undefined) {
    const version = await versionUnder(app, action.model, action.against);
    reads[`champion.${action.against}`] =
      version === undefined ? null : { version: version.version, artifact: version.artifact };
  }
  const rows = rowsOf(order.needs);
  // One whose need tells its content is in the key by that.
  if (rows.content !== undefined || !existsSync(rows.path)) return { reads };
  const { dataDirectory, clock } = await app.offline(silentProgress);
  const hashes = openFileHashes(dataDirectory, clock);
  const read = { ...reads, rows: await hashes.hashOf(rows.path) };
  await hashes.save();
  return { reads: read };
}
