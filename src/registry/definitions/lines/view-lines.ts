// What differs in a view: stored, or on demand.

import { formatDuration, typeName } from '../../../core/index.ts';
import type { FeatureSpec, OnDemandInput, OnDemandViewSpec, ViewSpec } from '../../../definitions/index.ts';
import { describeDifference } from '../difference.ts';
import { type Renames, renamedFeatures } from '../renames.ts';
import { becomes, type ChangeLine, line } from './change-line.ts';
import { expectLines } from './expect-lines.ts';
import { fieldLines, listLines } from './field-lines.ts';
import { restLines } from './rest-lines.ts';
import { showAggregation, showCode, showFreshness, showNames } from './show.ts';

const TOLD = [
  'entity',
  'source',
  'keyColumns',
  'ttlMicros',
  'features',
  'freshness',
  'schedule',
  'timezone',
  'catchUp',
  'expect',
] as const satisfies readonly (keyof ViewSpec)[];

export function viewLines(was: ViewSpec, is: ViewSpec, renames: Renames): ChangeLine[] {
  return [
    ...entityLines(was.entity, is.entity, renames),
    ...becomes('meaning', 'source', was.source, is.source),
    ...becomes('meaning', 'keys', showNames(was.keyColumns), showNames(is.keyColumns)),
    ...becomes('meaning', 'ttl', showTtl(was), showTtl(is)),
    ...becomes('meaning', 'freshness', showFreshness(was.freshness), showFreshness(is.freshness)),
    ...describeDifference(timesOf(was), timesOf(is)).map((text) => line('about', text)),
    ...listLines(was.features, is.features, {
      what: 'feature',
      show: ({ aggregation, type }) => `${showAggregation(aggregation)}, ${typeName(type)}`,
      differences: featureLines,
      renamed: renamedFeatures(was.features, is.features),
      isOrdered: true,
    }),
    ...expectLines(was, is),
    ...restLines(was, is, was.name === is.name ? TOLD : [...TOLD, 'renamedFrom']),
  ];
}

function entityLines(was: string, is: string, renames: Renames): ChangeLine[] {
  return was !== is && renames.later('entity', was) === is
    ? [line('name', `entity "${was}" is called "${is}" now`)]
    : becomes('meaning', 'entity', was, is);
}

function featureLines(was: FeatureSpec, is: FeatureSpec, title: string): ChangeLine[] {
  const told = ['type', 'default', 'aggregation', ...(was.name === is.name ? [] : ['renamedFrom'])];
  const rest = restLines(was, is, told).map((one) => ({ ...one, text: `${title}: ${one.text}` }));
  return [
    ...fieldLines(was, is, title),
    ...becomes('meaning', title, showAggregation(was.aggregation), showAggregation(is.aggregation)),
    ...rest,
  ];
}

// When it is materialized changes none of its values.
function timesOf({ schedule, timezone, catchUp }: ViewSpec): object {
  return { schedule, timezone, catchUp };
}

function showTtl({ ttlMicros }: ViewSpec): string {
  return ttlMicros === null ? 'for ever' : formatDuration(ttlMicros);
}

const ON_DEMAND_TOLD = ['inputs', 'features', 'transform'] as const satisfies readonly (keyof OnDemandViewSpec)[];

export function onDemandLines(was: OnDemandViewSpec, is: OnDemandViewSpec, renames: Renames): ChangeLine[] {
  const told = was.name === is.name ? ON_DEMAND_TOLD : [...ON_DEMAND_TOLD, 'renamedFrom'];
  return [
    ...becomes('code', 'transform', showCode(was.transform), showCode(is.transform)),
    ...listLines(was.features, is.features, {
      what: 'feature',
      show: ({ type }) => typeName(type),
      differences: fieldLines,
      isOrdered: true,
    }),
    ...listLines(was.inputs, is.inputs, {
      what: 'input',
      show: showInput,
      differences: (one, other, title) => inputLines(one, other, title, renames),
    }),
    ...restLines(was, is, told),
  ];
}

function inputLines(was: OnDemandInput, is: OnDemandInput, title: string, renames: Renames): ChangeLine[] {
  if (was.kind === 'request' && is.kind === 'request') {
    return listLines(was.columns, is.columns, {
      what: 'request column',
      show: ({ type }) => typeName(type),
      differences: fieldLines,
    });
  }
  const called = was.kind === 'request' || is.kind === 'request' ? [] : calledLines(was.view, is.view, title, renames);
  return [...called, ...becomes('meaning', title, showInput(laterInput(was, renames)), showInput(is))];
}

function calledLines(was: string, is: string, title: string, renames: Renames): ChangeLine[] {
  const isRenamed = (['view', 'onDemandView'] as const).some((object) => renames.later(object, was) === is);
  return isRenamed ? [line('name', `${title}: "${was}" is called "${is}" now`)] : [];
}

function laterInput(input: OnDemandInput, renames: Renames): OnDemandInput {
  if (input.kind === 'request') return input;
  return { ...input, view: renames.later(input.kind === 'view' ? 'view' : 'onDemandView', input.view) ?? input.view };
}

function showInput(input: OnDemandInput): string {
  switch (input.kind) {
    case 'request':
      return `request ${showNames(input.columns.map(({ name }) => name))}`;
    case 'view':
      return `${input.view} by ${showNames(input.keyColumns)}`;
    case 'onDemand':
      return input.view;
  }
}
