// `npm run quickstart`: the whole way from raw flights to served predictions, by the commands that a user has.
// It ends by itself; `npm start` then serves what it made.

import { join } from 'node:path';
import { environmentsDirectory, pythonCommand } from '../src/app/open-orchestrator.ts';
import { openApp } from '../src/app/index.ts';
import { HeadraceError } from '../src/core/index.ts';
import { openPythonEnvironments } from '../src/orchestrator/index.ts';
import { prepareFlights } from './prepare-flights.ts';
import { headrace, root } from './quickstart/headrace.ts';
import { writeLeakyTrainingSet } from './quickstart/leaky-join.ts';
import { leakyAuc } from './quickstart/leaky-models.ts';
import { recentDepartures, sendRequests, type Traffic } from './quickstart/send-requests.ts';
import { startServer } from './quickstart/server.ts';
import { elapsed, indent, say, step, table, whole } from './quickstart/story.ts';
import { registerKeptModels, type TrainedModel, trainModels } from './quickstart/train-models.ts';

const data = join(root, 'feature_repo', 'data');
const leakySet = join(root, '.headrace', 'offline', 'leaky.parquet');

say(`Headrace quickstart: will a flight arrive more than 15 minutes late?

It prepares 3,000,000 real flights, computes features of them as they were known at each departure, trains two
models, puts the features into the online store, serves both models on one endpoint, 90 to 10, and asks it for
predictions. Everything it makes lies in feature_repo/data and .headrace. It takes one to three minutes.`);

const app = await openApp({ config: join(root, 'headrace.config.ts') });
const python = pythonEnvironment();
await app.close();

await step('Prepare flights', 'US flights of 2001, moved by whole weeks so that the last ones have just landed.', async () => {
  const flights = await prepareFlights(data, Date.now() * 1000);
  const made = flights.reused ? 'kept from before' : 'written to feature_repo/data';
  return { result: flights, summary: `${whole(flights.flights)} flights, ${whole(flights.spineRows)} departures to learn from, ${made}` };
});

await step('Apply the definitions', 'feature_repo/ compiles to a manifest; the registry keeps it as a version.', async () => {
  const { revision, hash } = await headrace<{ revision: number; hash: string }>('apply', '--yes');
  return { result: undefined, summary: `revision ${revision}, manifest ${hash.slice(0, 12)}` };
});

const interpreter = await step('Make a Python environment', 'A virtual environment with scikit-learn, once; kept for next time.', async () => {
  const found = await python;
  return { result: found.interpreter, summary: found.interpreter === undefined ? `no Python: ${found.why}` : found.interpreter };
});

let models: readonly TrainedModel[];
let leaky: Record<string, number>;
if (interpreter === undefined) {
  say(indent('Training is left out: the models that the same script made earlier are used in its place.'));
  ({ models, leaky } = await registerKeptModels());
} else {
  models = await trainModels();
  leaky = await claimOfLeakyJoin(interpreter, models);
}

await step('Materialize', 'Every airport and route into the online store (LMDB), as of now.', async () => {
  await headrace('materialize', '--from', '2000-01-01T00:00:00Z');
  return { result: undefined, summary: 'the online store answers as of now' };
});

const server = await step('Serve', 'One endpoint, two versions: 90 % of the routes to the first, 10 % to the second.', async () => {
  const [stable, candidate] = models;
  await headrace('endpoints', 'traffic', 'delay', `stable=${stable?.version}:90`, `candidate=${candidate?.version}:10`);
  const result = await startServer(app.config.values['server.port']);
  return { result, summary: `ready at ${result.url} (API: ${result.url}/docs)` };
});

let traffic: Traffic;
try {
  traffic = await step('Predict', 'A departure now on every route of the last week, one a request, 16 connections.', async () => {
    const result = await sendRequests(server.url, await recentDepartures(new Date()), 16);
    const rate = whole(Math.round(result.predictions.length / result.seconds));
    return { result, summary: `${whole(result.predictions.length)} predictions, ${rate} a second` };
  });
} finally {
  await server.stop();
}
report(traffic, models, leaky);

/** Begins at once, beside the first steps: it is mostly waiting for downloads. */
async function pythonEnvironment(): Promise<{ interpreter: string; why: '' } | { interpreter: undefined; why: string }> {
  try {
    const environments = openPythonEnvironments(environmentsDirectory(app), pythonCommand(app));
    return { interpreter: await environments.interpreter(join(root, 'feature_repo', 'requirements.txt')), why: '' };
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_PYTHON_UNAVAILABLE') return { interpreter: undefined, why: error.message };
    throw error;
  }
}

async function claimOfLeakyJoin(interpreter: string, trained: readonly TrainedModel[]): Promise<Record<string, number>> {
  return await step(
    'The same with a leak, for contrast',
    'A plain SQL join by departure time: delays count from the departure, before anyone could know them.',
    async () => {
      const flights = join(data, 'flights', '*.parquet');
      await writeLeakyTrainingSet({ flights, spine: join(data, 'spine.parquet'), out: leakySet });
      const claims = await leakyAuc(interpreter, trained.map((model) => model.kind), leakySet);
      return { result: claims, summary: 'trained and measured just the same' };
    },
  );
}

function report({ departures, predictions, p50Ms, p99Ms }: Traffic, trained: readonly TrainedModel[], claims: Record<string, number>): void {
  say(`\nPredictions for a departure now, on the busiest routes:`);
  const shown = predictions.slice(0, 8).map(({ outputs, variant, version }, at) => {
    const { origin, destination, distance } = departures[at] ?? { origin: '', destination: '', distance: 0 };
    return [`${origin} → ${destination}`, `${distance} mi`, `${(outputs.probability * 100).toFixed(1)} %`, variant, String(version)];
  });
  say(table([['ROUTE', 'DISTANCE', 'LATE?', 'VARIANT', 'VERSION'], ...shown]));

  const share = (variant: string): string =>
    `${((predictions.filter((prediction) => prediction.variant === variant).length / predictions.length) * 100).toFixed(1)} %`;
  say(`\nTraffic split, asked for 90/10: stable ${share('stable')}, candidate ${share('candidate')} of ${whole(predictions.length)} routes.`);
  say(`Latency at 16 connections: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms.`);

  say('\nArea under the ROC curve, on the last fifth of the flights in time, which no model was trained on:');
  const rows = trained.map(({ kind, version, auc }) => [kind, String(version), auc.toFixed(3), (claims[kind] ?? NaN).toFixed(3)]);
  say(table([['MODEL', 'VERSION', 'AS KNOWN AT DEPARTURE', 'A LEAKY JOIN CLAIMS'], ...rows]));
  say(indent('The right column is what a join by departure time would have promised, and no live system could keep.'));
  say(`\nDone in ${elapsed()}. \`npm start\` serves what this made; the README shows how to ask it.`);
}
