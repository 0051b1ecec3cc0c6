// How soon a version that hurts answers nobody any more, as those who ask see it: one that fails at everything, by its breakers;
// one with more errors or slower answers, by a rollout's guards, from when the answers say so.

import { applyRepository, openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { deepModel, hoursModel } from '../test/support/onnx-model.ts';
import { createProject } from '../test/support/serving-project.ts';
import { countFirstEvents, type FirstEvents } from './first-events.ts';
import { median } from './median.ts';
import type { Figure, Section } from './report.ts';
import { startHeadrace, untilReady } from './servers.ts';
import { type Answer, askSteadily, type Asks } from './steady-asks.ts';

const [MOST_BREAKER_SECONDS, MOST_GUARD_SECONDS] = [2, 5];
/** Units a second. */
const RATE = 60;
/** `slow_rate` holds answers against three minutes of stable's. */
const STABLE_MS = 3.3 * 60_000;
const [STABLE, ERRORS, FAILS, SLOW] = [1, 2, 3, 4];
/** Where stable fails, and where the version of more errors does: .4 % and 2 % of the requests. */
const [ALL_FAIL, MORE_FAIL, NONE_FAIL] = [64, 32, 1.5];
const GUARDS = ['error_rate<+20%', 'slow_rate<+20%'];
const ENOUGH = GUARDS.length / 0.05;
/** A second until servers tell, a second until the controller looks. */
const SEEN_MS = 2000;
/** A round that takes longer has failed. */
const ROUND_LIMIT_MS = 5 * 60_000;

function drawValue(): number {
  const draw = Math.random();
  return draw < 0.004 ? ALL_FAIL : draw < 0.02 ? MORE_FAIL : NONE_FAIL;
}

const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
const given = onDemandView('given', {
  inputs: { request: { x: t.float64(), unit: t.string() } },
  features: { x: t.float64() },
  transform: ({ request }) => ({ x: request.x }),
});
const returns = model('returns', { features: featureService('numbers', [given]), outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['unit'] });
`;

export async function goingBackSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const rounds = isQuick ? 1 : 5;
  const project = createProject({
    'headrace.config.ts': "export default { project: 'bench' };\n",
    'feature_repo/bench.ts': REPOSITORY,
  });
  try {
    await registerVersions(project.directory);
    const server = await startHeadrace(project.directory, { workers: 2, isSilent: true });
    try {
      await untilReady(server);
      const asks = askSteadily(server.url, { perSecond: RATE, stable: STABLE, drawValue, harmless: NONE_FAIL });
      try {
        const broken = await inRounds(rounds, () => breakerRound(server.url, asks));
        const errors = await inRounds(rounds, () =>
          guardRound(
            server.url,
            asks,
            ERRORS,
            () =>
              ({ failed }) =>
                failed,
          ),
        );
        await delay(Math.max(0, STABLE_MS - asks.elapsedMs()));
        const slow = await inRounds(rounds, () => guardRound(server.url, asks, SLOW, slowIn));
        return { title: 'Going back', about: ABOUT, figures: figuresOf({ broken, errors, slow }) };
      } finally {
        await asks.stop();
      }
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}

const ABOUT = `Two workers, ${RATE} units a second with two requests each, half of them to a version that hurts; a durable SQLite. Whoever asks counts the answers, and computes the rollout's test by its formula alone: seconds from the first answer by which the evidence suffices, and does so for two seconds, since servers tell and the controller looks once a second (from the first failure, for the breakers) to the last request that this version was asked. Slow is, with hindsight, what took longer than the middle between both versions' medians. Medians and worst of the rounds.`;

interface Round {
  /** From when it was clear. */
  readonly seconds: number;
  /** Answers until then, and from then on, that the version gave or failed to give. */
  readonly before: number;
  readonly after: number;
  /** Seconds from when it first seemed clear, though it did not stay so. */
  readonly fromFirst: number;
}

function figuresOf({
  broken,
  errors,
  slow,
}: Readonly<Record<'broken' | 'errors' | 'slow', readonly Round[]>>): Figure[] {
  const figure = (name: string, rounds: readonly Round[], most: number): Figure => {
    const seconds = rounds.map((round) => round.seconds);
    const worst = Math.max(...seconds);
    const first = Math.max(...rounds.map(({ fromFirst }) => fromFirst));
    const of = (pick: (round: Round) => number): string => median(rounds.map(pick)).toFixed(0);
    return {
      name,
      value: `${median(seconds).toFixed(2)} s, at worst ${worst.toFixed(2)} s`,
      floor: `its answers until it was clear: ${of(({ before }) => before)}, after: ${of(({ after }) => after)}; from when it first seemed so at worst ${first.toFixed(2)} s`,
      mustBe: `≤ ${most} s`,
      isReached: worst <= most,
    };
  };
  return [
    figure('all fails: the breakers', broken, MOST_BREAKER_SECONDS),
    figure('errors .4 → 2 %: error_rate<+20%', errors, MOST_GUARD_SECONDS),
    figure('latency: slow_rate<+20%', slow, MOST_GUARD_SECONDS),
  ];
}

async function inRounds(rounds: number, run: () => Promise<Round>): Promise<Round[]> {
  const done: Round[] = [];
  while (done.length < rounds) done.push(await run());
  return done;
}

/** The version gets half of the traffic, and fails at all of it, until its breakers open in both workers. */
async function breakerRound(url: string, asks: Asks): Promise<Round> {
  await setTraffic(url, [STABLE, FAILS]);
  const answers = asks.follow();
  const calm = 3 * 1000 * MOST_BREAKER_SECONDS;
  await until(() => {
    const failures = answers.filter(({ isCandidate, failed }) => isCandidate && failed);
    const last = failures.at(-1);
    return last !== undefined && performance.now() - last.sentMs > calm ? true : undefined;
  });
  asks.unfollow();
  const failures = answers.filter(({ isCandidate, failed }) => isCandidate && failed);
  const [first, last] = [failures[0], failures.at(-1)];
  await setTraffic(url, [STABLE]);
  if (first === undefined || last === undefined) throw new Error('the version did not fail');
  const seconds = (last.sentMs - first.endedMs) / 1000;
  return { seconds, fromFirst: seconds, before: 0, after: failures.length };
}

/** The version gets half of the traffic by a rollout, until that has gone back. */
async function guardRound(
  url: string,
  asks: Asks,
  candidate: number,
  eventsIn: (answers: readonly Answer[]) => (answer: Answer) => boolean,
): Promise<Round> {
  const id = await startRollout(url, candidate);
  // From here on half of the units are the candidate's: shares that count those from before would say too much.
  await until(async () => (await stateOf(url, id)) === 'watching' || undefined);
  const answers = asks.follow();
  await until(async () => (await stateOf(url, id)) === 'rolled_back' || undefined);
  // What was under way is answered.
  await delay(1000);
  asks.unfollow();
  const { lastingMs, firstMs } = clearAt(answers, eventsIn(answers));
  const atCandidate = answers.filter(({ isCandidate }) => isCandidate);
  const lastMs = Math.max(...atCandidate.map(({ sentMs }) => sentMs));
  const secondsFrom = (ms = Infinity): number => Math.max(0, lastMs - ms) / 1000;
  const after = atCandidate.filter(({ endedMs }) => endedMs > (lastingMs ?? Infinity)).length;
  const before = atCandidate.length - after;
  return { seconds: secondsFrom(lastingMs), fromFirst: secondsFrom(firstMs), before, after };
}

/** With hindsight: past the middle between what the two versions take. */
function slowIn(answers: readonly Answer[]): (answer: Answer) => boolean {
  const tookMs = (wanted: boolean): number =>
    median(answers.filter(({ isCandidate }) => isCandidate === wanted).map((answer) => answer.tookMs));
  const middleMs = (tookMs(true) + tookMs(false)) / 2;
  return (answer) => answer.tookMs > middleMs;
}

interface Clear {
  /** From then on the answers said enough, for so long that who is told each second and looks each second must see it. */
  readonly lastingMs: number | undefined;
  /** When they first did, though another answer took it back. */
  readonly firstMs: number | undefined;
}

/** To whoever asked; undefined where the server went back before. */
function clearAt(answers: readonly Answer[], isEvent: (answer: Answer) => boolean): Clear {
  let [firstMs, sinceMs]: (number | undefined)[] = [];
  const events: FirstEvents = countFirstEvents(0.2);
  for (const answer of answers.toSorted((a, b) => a.endedMs - b.endedMs)) {
    const counts = isEvent(answer);
    const atMs = performance.timeOrigin + answer.endedMs;
    events.add({ atMs, unit: answer.unit, isCandidate: answer.isCandidate, isEvent: counts });
    if (sinceMs !== undefined && answer.endedMs - sinceMs > SEEN_MS) break;
    if (!counts) continue;
    if (events.evidence() < ENOUGH) sinceMs = undefined;
    else {
      sinceMs ??= answer.endedMs;
      firstMs ??= sinceMs;
    }
  }
  return { lastingMs: sinceMs, firstMs };
}

async function registerVersions(directory: string): Promise<void> {
  const environment = { ...readEnvironment({}), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    await applyRepository(app, {});
    const versions = [
      hoursModel(1, 0, ALL_FAIL),
      hoursModel(1, 0, MORE_FAIL),
      hoursModel(1, 0, 1),
      deepModel(256, 500),
    ];
    for (const onnx of versions) await registerModelFile(app, { model: 'returns', onnx: Buffer.from(onnx) });
  } finally {
    await app.close();
  }
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What it gives, once it does. Throws after a round's time. */
async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const endMs = performance.now() + ROUND_LIMIT_MS; performance.now() < endMs; ) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(50);
  }
  throw new Error(`the version did not go within ${ROUND_LIMIT_MS / 60_000} minutes`);
}

async function setTraffic(url: string, versions: readonly number[]): Promise<void> {
  const variants = versions.map((version) => ({
    name: version === STABLE ? 'stable' : `v${version}`,
    version,
    weight: 100 / versions.length,
  }));
  await call('PUT', `${url}/v1/endpoints/checkout`, { variants });
}

async function startRollout(url: string, candidate: number): Promise<string> {
  const { id } = await call('POST', `${url}/v1/rollouts`, {
    endpoint: 'checkout',
    candidate,
    steps: [50, 100],
    hold: '1h',
    warmup: '0s',
    guards: GUARDS,
    force: true,
  });
  return id;
}

async function stateOf(url: string, id: string): Promise<string> {
  return (await call('GET', `${url}/v1/rollouts/${id}`)).state;
}

async function call(
  method: string,
  url: string,
  body?: object,
): Promise<{ readonly id: string; readonly state: string }> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${answer}`);
  return JSON.parse(answer) as { readonly id: string; readonly state: string }; // a rollout's document, where it is read
}
