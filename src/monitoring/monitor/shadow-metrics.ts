// The metrics of shadows: how many rows they got, what they made of them, and why they did not get others.

import type { ShadowFigures } from '../shadows/shadow-figures.ts';
import type { Figures } from './figures.ts';
import { histogramOf, type Labels, type Metric, type Numbers, type Unit } from './metric.ts';

export function shadowMetrics({ shadows }: Figures): Metric[] {
  const labelsOf = ({ endpoint, version }: ShadowFigures): Labels => ({ endpoint, version: String(version) });
  const numbers = (
    name: string,
    unit: Unit,
    help: string,
    kind: Numbers['kind'],
    pick: (shadow: ShadowFigures) => number | null,
  ): Metric => {
    const points = shadows.flatMap((shadow) => {
      const value = pick(shadow);
      return value === null ? [] : [{ labels: labelsOf(shadow), value }];
    });
    return { name, unit, help, kind, points };
  };
  const by = (label: string, pick: (shadow: ShadowFigures) => ReadonlyMap<string, number>): Numbers['points'] =>
    shadows.flatMap((shadow) =>
      Array.from(pick(shadow), ([name, value]) => ({ labels: { ...labelsOf(shadow), [label]: name }, value })),
    );
  return [
    numbers('headrace.shadow.pairs', '{row}', 'Rows that a shadow answered, too.', 'counter', ({ pairs }) => pairs),
    numbers(
      'headrace.shadow.agreed',
      '{row}',
      'Pairs with the same label, or numbers within 1 %.',
      'counter',
      ({ agreed }) => agreed,
    ),
    {
      name: 'headrace.shadow.errors',
      unit: '{row}',
      help: 'Rows that a shadow failed, by error.',
      kind: 'counter',
      points: by('code', ({ errors }) => errors),
    },
    {
      name: 'headrace.shadow.dropped',
      unit: '{row}',
      help: 'Rows that a shadow did not get, or not in time, by reason.',
      kind: 'counter',
      points: by('reason', ({ dropped }) => dropped),
    },
    numbers(
      'headrace.shadow.mean_abs_difference',
      '{score}',
      'Mean absolute difference of a shadow’s scores and the answered ones.',
      'gauge',
      ({ meanAbsDifference }) => meanAbsDifference,
    ),
    numbers(
      'headrace.shadow.psi',
      '{psi}',
      'Population stability index of a shadow’s scores against the answered ones.',
      'gauge',
      ({ psi }) => psi,
    ),
    {
      name: 'headrace.shadow.duration',
      unit: 's',
      help: 'Duration of a shadow’s runs, once a pair.',
      kind: 'histogram',
      points: shadows.map((shadow) => ({ labels: labelsOf(shadow), value: histogramOf(shadow.shadowLatency) })),
    },
  ];
}
