// `npm run quickstart`: the whole way from raw flights to served predictions, by the commands that a user has.
// It ends by itself; `npm start` then serves what it made. With `-- --contrast` it also trains on a leaky join, to show what
// that would have claimed.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openApp } from '../src/app/index.ts';
import { prepareFlights } from './prepare-flights.ts';
import { headrace, root } from './quickstart/headrace.ts';
import { writeLeakyTrainingSet } from './quickstart/leaky-join.ts';
import { leakyAuc } from './quickstart/leaky-models.ts';
import { findPython, type PythonFound } from './quickstart/python-environment.ts';
import { report } from './quickstart/report.ts';
import { recentDepartures, sendRequests, type Traffic } from './quickstart/send-requests.ts';
import { startServer } from './quickstart/server.ts';
import { elapsed, indent, say, step, whole } from './quickstart/story.ts';
import { registerKeptModels, type TrainedModel, trainModels } from './quickstart/train-models.ts';

const HELP = `Usage: npm run quickstart [-- --contrast]

  --contrast   also train the models on a leaky join, and show what it would have claimed; about a minute more`;

const data = join(root, 'feature_repo', 'data');

interface Trained {
  readonly models: readonly TrainedModel[];
  /** The AUC that a leaky join claims, by kind of model; undefined without the contrast. */
  readonly claims: Readonly<Record<string, number>> | undefined;
}

async function quickstart(hasContrast: boolean): Promise<void> {
  say(`Headrace quickstart: will a flight arrive more than 15 minutes late?

It prepares 3,000,000 real flights, computes features of them as they were known at each departure, trains two
models, puts the features into the online store, serves both models on one endpoint, 90 to 10, and asks it for
predictions. Everything it makes lies in feature_repo/data and .headrace. It takes one to three minutes.`);
  const app = await openApp({ config: join(root, 'headrace.config.ts') });
  await app.close();
  const python = findPython(app);
  // Awaited in its own step; until then a failure must not end the process.
  python.catch(() => {});

  await prepare();
  await apply();
  const { models, claims } = await train(await pythonStep(python), hasContrast);
  await materialize();
  const traffic = await serveAndAsk(models, app.config.values['server.port']);
  report(traffic, models, claims);
  say(`\nDone in ${elapsed()}. \`npm start\` serves what this made; the README shows how to ask it.`);
}

async function prepare(): Promise<void> {
  await step(
    'Prepare flights',
    'US flights of the first half of 2001, moved by whole weeks so that the last ones have just landed.',
    async () => {
      const { flights, spineRows, reused } = await prepareFlights(data, Date.now() * 1000);
      const made = reused ? 'kept from before' : 'written to feature_repo/data';
      return {
        result: undefined,
        summary: `${whole(flights)} flights, ${whole(spineRows)} departures to learn from, ${made}`,
      };
    },
  );
}

async function apply(): Promise<void> {
  await step(
    'Apply the definitions',
    'feature_repo/ compiles to a manifest; the registry keeps it as a version.',
    async () => {
      const { revision, hash } = await headrace<{ revision: number; hash: string }>('apply --yes');
      return { result: undefined, summary: `revision ${revision}, manifest ${hash.slice(0, 12)}` };
    },
  );
}

async function pythonStep(python: Promise<PythonFound>): Promise<string | undefined> {
  return await step(
    'Make a Python environment',
    'A virtual environment with scikit-learn, once; kept for next time.',
    async () => {
      const found = await python;
      if (found.interpreter !== undefined) return { result: found.interpreter, summary: found.interpreter };
      say(indent(found.why));
      return {
        result: undefined,
        summary: 'none: training is left out, and models made earlier by the same script are used',
      };
    },
  );
}

async function train(interpreter: string | undefined, hasContrast: boolean): Promise<Trained> {
  if (interpreter === undefined) {
    const kept = await registerKeptModels();
    await audit(kept.trainingSet);
    return hasContrast ? kept : { ...kept, claims: undefined };
  }
  const { models, trainingSet } = await trainModels();
  await audit(trainingSet);
  return { models, claims: hasContrast ? await contrast(interpreter, models) : undefined };
}

async function contrast(
  interpreter: string,
  models: readonly TrainedModel[],
): Promise<Readonly<Record<string, number>>> {
  return await step(
    'The same with a leak, for contrast',
    'A plain SQL join by departure time: delays count from the departure, before anyone could know them,\nand the row’s own flight counts too, as in any such join.',
    async () => {
      const leakySet = join(root, '.headrace', 'offline', 'leaky.parquet');
      const flights = join(data, 'flights', '*.parquet');
      await writeLeakyTrainingSet({ flights, spine: join(data, 'spine.parquet'), out: leakySet });
      const result = await leakyAuc(
        interpreter,
        models.map((model) => model.kind),
        leakySet,
      );
      return { result, summary: 'the same models, trained and measured just the same' };
    },
  );
}

async function audit(trainingSet: string): Promise<void> {
  await step(
    'Audit the training set',
    'A sample of its rows computed again by another path, from the facts known by each row’s time alone.',
    async () => {
      const { sampled, rows } = await headrace<{ sampled: number; rows: number }>(
        `training-set audit ${trainingSet} --sample 50`,
      );
      return { result: undefined, summary: `clean: ${sampled} of ${whole(rows)} rows computed again, and all agree` };
    },
  );
}

async function materialize(): Promise<void> {
  await step('Materialize', 'Every airport and route into the online store (LMDB), as of now.', async () => {
    await headrace('materialize --from 2000-01-01T00:00:00Z');
    return { result: undefined, summary: 'the online store answers as of now' };
  });
}

async function serveAndAsk(models: readonly TrainedModel[], port: number): Promise<Traffic> {
  const [stable, candidate] = models;
  const server = await step(
    'Serve',
    'One endpoint, two versions: 90 % of the routes to the first, 10 % to the second.',
    async () => {
      await headrace(`endpoints traffic delay stable=${stable?.version}:90 candidate=${candidate?.version}:10`);
      const result = await startServer(port);
      return { result, summary: `ready at ${result.url} (API: ${result.url}/docs)` };
    },
  );
  try {
    return await step(
      'Predict',
      'A departure now on every route of the last week, one a request, 16 connections.',
      async () => {
        const result = await sendRequests(server.url, await recentDepartures(new Date()), 16);
        const rate = whole(Math.round(result.predictions.length / result.seconds));
        return { result, summary: `${whole(result.predictions.length)} predictions, ${rate} a second` };
      },
    );
  } finally {
    await server.stop();
  }
}

const { values: options } = parseArgs({ options: { contrast: { type: 'boolean' }, help: { type: 'boolean' } } });
try {
  if (options.help === true) say(HELP);
  else await quickstart(options.contrast === true);
} catch (error) {
  console.error(`\nThe quickstart failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
