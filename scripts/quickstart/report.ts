// What the quickstart found: predictions, the split as observed, latency, and the honest AUC, beside the leaky claim where there is one.

import type { Traffic } from './send-requests.ts';
import { indent, say, table, whole } from './story.ts';
import type { TrainedModel } from './train-models.ts';

const SHOWN_PER_VARIANT = 4;

export function report(
  traffic: Traffic,
  models: readonly TrainedModel[],
  claims: Readonly<Record<string, number>> | undefined,
): void {
  say('\nPredictions for a departure now, on the busiest routes of each variant:');
  say(table([['ROUTE', 'DISTANCE', 'LATE?', 'VARIANT', 'VERSION'], ...predictionRows(traffic)]));

  const { predictions, p50Ms, p99Ms } = traffic;
  say(
    `\nTraffic split, asked for 90/10: stable ${share(traffic, 'stable')}, candidate ${share(traffic, 'candidate')} of ` +
      `${whole(predictions.length)} routes.`,
  );
  say(`Latency at 16 connections: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms.`);

  say('\nArea under the ROC curve, on the last fifth of the flights in time, which no model was trained on:');
  const rows = models.map(({ kind, version, auc }) => [
    kind,
    String(version),
    auc.toFixed(3),
    ...(claims === undefined ? [] : [claims[kind]?.toFixed(3) ?? '']),
  ]);
  const head = ['MODEL', 'VERSION', 'AS KNOWN AT DEPARTURE', ...(claims === undefined ? [] : ['A LEAKY JOIN CLAIMS'])];
  say(table([head, ...rows]));
  if (claims === undefined)
    say(indent('`npm run quickstart -- --contrast` also shows what a leaky join would have claimed.'));
  else
    say(
      indent('The right column is what a join by departure time would have promised, and no live system could keep.'),
    );
}

function predictionRows({ departures, predictions }: Traffic): string[][] {
  const rows = predictions.map(({ outputs, variant, version }, at) => {
    const { origin, destination, distance } = departures[at] ?? { origin: '', destination: '', distance: 0 };
    return [
      `${origin} → ${destination}`,
      `${distance} mi`,
      `${(outputs.probability * 100).toFixed(1)} %`,
      variant,
      String(version),
    ];
  });
  return ['stable', 'candidate'].flatMap((variant) =>
    rows.filter((row) => row[3] === variant).slice(0, SHOWN_PER_VARIANT),
  );
}

function share({ predictions }: Traffic, variant: string): string {
  const count = predictions.filter((prediction) => prediction.variant === variant).length;
  return `${((count / predictions.length) * 100).toFixed(1)} %`;
}
