// `npm run demo:rollout`: two new versions of a model on the flights. One is compared with the old one in an experiment and
// takes over step by step; the other fails for half of the day, and is taken back by itself. It ends by itself.

import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoFolder, useDemoState } from './demo/demo-state.ts';
import { landedDepartures } from './demo/departures.ts';
import { type EndedRollout, rollOut } from './demo/roll-out.ts';
import { startTravellers, type Travellers } from './demo/traffic.ts';
import { prepareFlights } from './prepare-flights.ts';
import { headrace, root } from './quickstart/headrace.ts';
import { type Server, startServer } from './quickstart/server.ts';
import { elapsed, say, step, whole } from './quickstart/story.ts';

/** Requests a second; enough for a verdict in seconds, and little for any machine. */
const RATE = 150;
const EXPERIMENT_SECONDS = 15;
/** Short steps, so that all is seen in two minutes. In production: the plan `careful` of feature_repo/delay-trials.ts. */
const PLAN = '--steps 25,50,100 --hold 4s --bake 3s --warmup 1s --min-units 200 --guard error_rate<0.01';
const REPORT = join(demoFolder, 'delay-models.html');

async function demo(): Promise<void> {
  say(`Headrace demo: a good version takes over, a bad one is taken back.

Real flights, real requests, ${RATE} a second; all it makes lies in ${relative(root, demoFolder)}. It takes less than two minutes.`);
  useDemoState();
  await prepare();
  const server = await serve();
  try {
    const departures = await landedDepartures();
    const travellers = startTravellers(server.url, departures, RATE);
    try {
      await compare(travellers);
      const good = await promote();
      const bad = await takeBack(travellers);
      await travellers.stop();
      conclude(travellers, good, bad);
    } finally {
      await travellers.stop();
    }
  } finally {
    await server.stop();
  }
}

async function prepare(): Promise<void> {
  await step(
    'Prepare flights and versions 1 and 2',
    'As the quickstart does, with the models kept in feature_repo.',
    async () => {
      const { flights } = await prepareFlights(join(root, 'feature_repo', 'data'), Date.now() * 1000);
      await headrace('apply --yes');
      for (const kind of ['logistic', 'boosting'])
        await headrace(`models register delay_classifier feature_repo/models/${kind}.onnx --service delay_features`);
      await headrace('materialize --from 2000-01-01T00:00:00Z');
      return { result: undefined, summary: `${whole(flights)} flights, features as of now, two versions` };
    },
  );
}

async function serve(): Promise<Server> {
  return await step('Serve version 1', 'It has all traffic; the others wait.', async () => {
    // What fails is counted, and told at the end.
    const result = await startServer(0, { isQuiet: true });
    return { result, summary: `ready at ${result.url}` };
  });
}

async function compare(travellers: Travellers): Promise<void> {
  await step(
    'Compare versions 1 and 2',
    'An experiment: half of the routes each. What a forecast cost its traveller, in minutes, is told as its outcome.',
    async () => {
      await headrace('experiments start delay_models');
      await sleep(EXPERIMENT_SECONDS * 1000);
      const { arms, decision } = await headrace<{
        readonly arms: readonly { readonly name: string; readonly units: number }[];
        readonly decision: string;
      }>(`experiments report delay_models --html ${REPORT}`);
      await headrace('experiments stop delay_models --reason compared');
      const units = arms.map(({ name, units: n }) => `${name} ${whole(n)} routes`).join(', ');
      const asked = [...travellers.answered.values()].reduce((sum, count) => sum + count, 0);
      return { result: undefined, summary: `${whole(asked)} forecasts; ${units}. ${decision}` };
    },
  );
}

async function promote(): Promise<EndedRollout> {
  return await step(
    'Roll out version 2',
    'By steps, watched by a guardrail: fewer than 1 % of routes meet an error.',
    async () => {
      const result = await rollOut(`rollout start delay --candidate 2 ${PLAN}`);
      expectState(result, 'promoted');
      return { result, summary: `promoted: ${result.history.length} transitions, each with its evidence` };
    },
  );
}

async function takeBack(travellers: Travellers): Promise<EndedRollout> {
  return await step(
    'Roll out version 3, which is broken',
    'It was trained on mornings: from noon on it fails. Nobody here knows that yet.',
    async () => {
      await headrace('models register delay_classifier feature_repo/models/morning.onnx --service delay_features');
      const before = countFailed(travellers);
      const result = await rollOut(`rollout start delay --candidate 3 ${PLAN}`);
      expectState(result, 'rolled_back');
      return {
        result,
        summary: `rolled back: ${result.reason ?? 'no reason'}; ${whole(countFailed(travellers) - before)} requests failed meanwhile`,
      };
    },
  );
}

function conclude(travellers: Travellers, good: EndedRollout, bad: EndedRollout): void {
  const failed = countFailed(travellers);
  say(`\nVersion 2: ${good.state}. Version 3: ${bad.state}.`);
  say(`Of ${whole(countAnswered(travellers) + failed)} requests ${whole(failed)} failed.`);
  say(`\nThe experiment's report, for people: ${pathToFileURL(REPORT).href}\nDone in ${elapsed()}.`);
}

const countFailed = ({ failed }: Travellers): number => [...failed.values()].reduce((sum, count) => sum + count, 0);
const countAnswered = ({ answered }: Travellers): number =>
  [...answered.values()].reduce((sum, count) => sum + count, 0);

function expectState({ state, reason }: EndedRollout, wanted: string): void {
  if (state !== wanted) throw new Error(`the rollout is ${state} (${reason ?? 'no reason'}), and should be ${wanted}`);
}

try {
  await demo();
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
