// The lines of a change: how an object differs from what it was, by what it is a difference in.

import type {
  EndpointSpec,
  EntitySpec,
  ExperimentSpec,
  Manifest,
  ModelSpec,
  OnDemandViewSpec,
  PipelineSpec,
  RolloutSpec,
  ServiceSpec,
  SourceSpec,
  ViewSpec,
} from '../../../definitions/index.ts';
import { canonicalJson, formatDuration, typeName } from '../../../core/index.ts';
import type { ObjectKind } from '../objects.ts';
import type { Renames } from '../renames.ts';
import { becomes, type ChangeLine } from './change-line.ts';
import { experimentLines, rolloutLines } from './experiment-lines.ts';
import { absenceLines, fieldLines, listLines } from './field-lines.ts';
import { pipelineLines } from './pipeline-lines.ts';
import { restLines } from './rest-lines.ts';
import { serviceLines } from './service-lines.ts';
import { showFields, showNames } from './show.ts';
import { sourceLines } from './source-lines.ts';
import { onDemandLines, viewLines } from './view-lines.ts';

/** `was` and `is`: the object in each manifest. */
export function changeLines(
  object: ObjectKind,
  was: unknown,
  is: unknown,
  { before, after, renames }: { readonly before: Manifest; readonly after: Manifest; readonly renames: Renames },
): ChangeLine[] {
  // The section of an object says what it is.
  switch (object) {
    case 'entity':
      return entityLines(was as EntitySpec, is as EntitySpec);
    case 'source':
      return sourceLines(was as SourceSpec, is as SourceSpec, before, after);
    case 'view':
      return viewLines(was as ViewSpec, is as ViewSpec, renames);
    case 'onDemandView':
      return onDemandLines(was as OnDemandViewSpec, is as OnDemandViewSpec, renames);
    case 'service':
      return serviceLines(was as ServiceSpec, is as ServiceSpec, before, after, renames);
    case 'model':
      return modelLines(was as ModelSpec, is as ModelSpec);
    case 'endpoint':
      return endpointLines(was as EndpointSpec, is as EndpointSpec);
    case 'pipeline':
      return pipelineLines(was as PipelineSpec, is as PipelineSpec);
    case 'experiment':
      return experimentLines(was as ExperimentSpec, is as ExperimentSpec);
    case 'rollout':
      return rolloutLines(was as RolloutSpec, is as RolloutSpec);
  }
}

function entityLines(was: EntitySpec, is: EntitySpec): ChangeLine[] {
  const hasOtherTypes =
    was.keys.map(({ type }) => typeName(type)).join() !== is.keys.map(({ type }) => typeName(type)).join();
  return [
    ...becomes(hasOtherTypes ? 'type' : 'meaning', 'keys', showFields(was.keys), showFields(is.keys)),
    ...is.keys.flatMap((key) => {
      const before = was.keys.find(({ name }) => name === key.name);
      return before === undefined ? [] : absenceLines(before, key, `key "${key.name}"`);
    }),
    ...restLines(was, is, was.name === is.name ? ['keys'] : ['keys', 'renamedFrom']),
  ];
}

function modelLines(was: ModelSpec, is: ModelSpec): ChangeLine[] {
  return [
    ...becomes('meaning', 'service', was.service, is.service),
    ...listLines(was.outputs, is.outputs, {
      what: 'output',
      show: ({ type }) => typeName(type),
      kind: () => 'type',
      differences: fieldLines,
      isOrdered: true,
    }),
    // The same values, computed elsewhere.
    ...becomes('about', 'providers', showNames(was.providers), showNames(is.providers)),
    // The same values, in other company.
    ...becomes('about', 'batch', showBatch(was), showBatch(is)),
    ...restLines(was, is, ['service', 'outputs', 'providers', 'batch']),
  ];
}

function showBatch({ batch }: ModelSpec): string {
  return batch === undefined ? 'as runs show' : String(batch);
}

function endpointLines(was: EndpointSpec, is: EndpointSpec): ChangeLine[] {
  return [
    ...becomes('meaning', 'model', was.model, is.model),
    ...becomes('meaning', 'unit', showUnit(was), showUnit(is)),
    ...becomes('meaning', 'rules', showRules(was), showRules(is)),
    ...becomes('meaning', 'holdout', showHoldout(was), showHoldout(is)),
    ...becomes('meaning', 'when the store is down', was.whenStoreDown, is.whenStoreDown),
    // The same answers, some of them without a run.
    ...becomes('about', 'cache', showCache(was), showCache(is)),
    ...restLines(was, is, ['model', 'unit', 'rules', 'holdout', 'whenStoreDown', 'cache']),
  ];
}

function showUnit({ unit }: EndpointSpec): string {
  return unit.length === 0 ? 'each request' : showNames(unit);
}

function showRules({ rules = [] }: EndpointSpec): string {
  return rules.length === 0
    ? 'none'
    : rules.map(({ when, variant }) => `${variant} when ${canonicalJson(when)}`).join('; ');
}

function showCache({ cache }: EndpointSpec): string {
  if (cache === undefined) return 'none';
  return `${formatDuration(cache.ttlMicros)}, ${cache.maxBytes} bytes, ${cache.maxEntries} entries`;
}

function showHoldout({ holdout }: EndpointSpec): string {
  return holdout === undefined ? 'none' : `${holdout.percent} % of "${holdout.name}"`;
}
