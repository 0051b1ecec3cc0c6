// A pipeline by its name: one that is defined, or one of Headrace's own.

import { didYouMeanOf, HeadraceError } from '../core/index.ts';
import { type Definitions, own, type PipelineSpec } from '../definitions/index.ts';
import { ownPipeline } from './schedule/own-pipelines.ts';

/** Throws HR_UNKNOWN_PIPELINE. */
export function findPipeline({ manifest }: Pick<Definitions, 'manifest'>, name: string): PipelineSpec {
  const { pipelines } = manifest;
  const pipeline = own(pipelines, name) ?? ownPipeline(manifest, name);
  if (pipeline !== undefined) return pipeline;
  const others = didYouMeanOf('pipelines', name, Object.keys(pipelines));
  const sentence = `there is no pipeline "${name}".${others} One that is new counts once \`headrace apply\` has stored it.`;
  throw new HeadraceError('HR_UNKNOWN_PIPELINE', sentence);
}
