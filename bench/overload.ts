// A server that gets twice what its slow model can do: what it still answers in time, how soon it is itself again, and what
// others notice meanwhile. The load tests' own driver and project; what a large model's loading costs others, too.

import { openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { driveApart } from '../load-tests/drive-apart.ts';
import type { PhaseFigures } from '../load-tests/outcomes.ts';
import { createLoadProject, type LoadProject, SCORE_FEATURES } from '../load-tests/own-project.ts';
import type { RequestKind } from '../load-tests/requests.ts';
import { type LoadServer, runScenario } from '../load-tests/run-scenario.ts';
import { scenarios } from '../load-tests/scenarios.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { text } from '../test/support/protobuf.ts';
import { type Figure, type Section, whole } from './report.ts';
import { startHeadrace, startScript, untilReady } from './servers.ts';

const [LEAST_GOODPUT, MOST_RECOVERY_MS, MOST_P99_MS] = [0.95, 1000, 5];
const PROBES_PER_SECOND = 300;

export async function overloadSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const project = await createLoadProject();
  try {
    const versions = await registerLarge(project, isQuick ? 2 : 6);
    const server = await startHeadrace(project.directory);
    try {
      await untilReady(server);
      const target: LoadServer = { base: server.url, pid: server.pid, target: 'own' };
      const overload = await measureOverload(target, isQuick ? 14 : undefined);
      const loading = await measureLoading(target, versions);
      return { title: 'Overload', about: ABOUT, figures: [...overload, loading] };
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}

const ABOUT =
  'One worker; a model of about 20 ms a row, whose capacity is measured over 16 connections that always ask, before and after (their mean counts). Then twice as many requests as that come at their times, each with a deadline of a second; latencies count from when a request was to be sent. Health and a cheap endpoint are asked 100 times a second each meanwhile, and so is a bare Fastify server in a process of its own: its p99 is what the machine allows when server, model and driver share it. Loading: versions of a model of 13 MB, one traffic change after another.';

async function measureOverload(server: LoadServer, seconds: number | undefined): Promise<Figure[]> {
  const scenario = scenarios.find(({ name }) => name === 'overload');
  if (scenario === undefined) throw new Error('the table has no overload');
  const { result, capacity, notes } = await runScenario(scenario, {
    server,
    tell: console.log,
    ...(seconds === undefined ? {} : { seconds }),
  });
  for (const note of notes) console.log(`Note: ${note}`);
  const figuresOf = (request: RequestKind, phase: string): PhaseFigures => {
    const found = result.streams.find((one) => one.request === request)?.phases.find((one) => one.phase === phase);
    if (found === undefined) throw new Error(`nothing was sent of ${request} in ${phase}`);
    return found;
  };
  const slow = figuresOf('slow', 'overload');
  const { recoveryMs } = figuresOf('slow', 'after');
  const bare = figuresOf('bare', 'overload');
  const { before = NaN, after = NaN, mean = NaN } = capacity ?? {};
  const ratio = slow.goodPerSecond / mean;
  const beside = (request: RequestKind): Figure => {
    const { p50Ms, p99Ms, sent, answered } = figuresOf(request, 'overload');
    return {
      name: `${request} meanwhile`,
      value: `p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}${sent === answered ? '' : `, ${sent - answered} FAILED`}`,
      floor: `bare server: p50 ${ms(bare.p50Ms)}, p99 ${ms(bare.p99Ms)}`,
      ratio: (p99Ms / bare.p99Ms).toFixed(2),
      mustBe: `p99 ≤ ${MOST_P99_MS} ms`,
      isReached: p99Ms <= MOST_P99_MS && sent === answered,
    };
  };
  return [
    {
      name: `answered in time, of ${(slow.sent / slow.seconds).toFixed(1)} requests a second`,
      value: `${slow.goodPerSecond.toFixed(1)}/s, p50 ${ms(slow.p50Ms)}`,
      floor: `capacity: ${mean.toFixed(1)}/s (${before.toFixed(1)} before, ${after.toFixed(1)} after)`,
      ratio: ratio.toFixed(3),
      mustBe: `≥ ${LEAST_GOODPUT}`,
      isReached: ratio >= LEAST_GOODPUT && slow.faults === 0,
    },
    {
      name: 'until full service again',
      value: recoveryMs === null ? 'never' : ms(recoveryMs),
      mustBe: `≤ ${MOST_RECOVERY_MS} ms`,
      isReached: recoveryMs !== null && recoveryMs <= MOST_RECOVERY_MS,
    },
    beside('health'),
    beside('cheap'),
  ];
}

const LARGE_TREES = 500;
const LARGE_DEPTH = 9;

/** Versions of the model `score`, alike but for their names, so that each is loaded by itself. */
async function registerLarge({ directory }: LoadProject, count: number): Promise<LargeVersions> {
  const environment = { ...readEnvironment({}), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const large = treesModel(SCORE_FEATURES, LARGE_TREES, LARGE_DEPTH);
    const versions: number[] = [];
    for (let one = 0; one < count; one++) {
      // The producer's name; a later field of the same number counts.
      const onnx = Buffer.concat([large, text(2, `bench ${one}`)]);
      versions.push((await registerModelFile(app, { model: 'score', onnx })).version);
    }
    return { versions, megabytes: large.byteLength / 1e6 };
  } finally {
    await app.close();
  }
}

interface LargeVersions {
  readonly versions: readonly number[];
  readonly megabytes: number;
}

async function measureLoading(server: LoadServer, { versions, megabytes }: LargeVersions): Promise<Figure> {
  const bare = await startScript('ack-server.ts', ['200'], process.cwd());
  try {
    const rate = [{ from: PROBES_PER_SECOND, to: PROBES_PER_SECOND }];
    const probing = (seconds: number) =>
      driveApart({
        target: server.target,
        phases: [{ name: 'loading', seconds }],
        streams: [
          { request: 'health', base: server.base, loads: rate },
          { request: 'bare', base: bare.url, loads: rate },
        ],
      });
    // The first change tells how long one takes.
    const [first = 1, ...others] = versions;
    const oneMs = await setTraffic(server.base, first);
    const [{ streams }] = await Promise.all([
      probing(Math.max(1, (others.length * oneMs) / 1000)),
      (async () => {
        for (const version of others) await setTraffic(server.base, version);
      })(),
    ]);
    const [health, floor] = streams.map(({ phases }) => phases[0] as PhaseFigures) as [PhaseFigures, PhaseFigures];
    return {
      name: `health while a model of ${megabytes.toFixed(0)} MB is loaded (${others.length} times, about ${whole(oneMs)} ms each)`,
      value: `p50 ${ms(health.p50Ms)}, p99 ${ms(health.p99Ms)}, greatest ${ms(health.maxMs)}`,
      floor: `bare server: p99 ${ms(floor.p99Ms)}, greatest ${ms(floor.maxMs)}`,
      ratio: (health.p99Ms / floor.p99Ms).toFixed(2),
      mustBe: `p99 ≤ ${MOST_P99_MS} ms`,
      isReached: health.p99Ms <= MOST_P99_MS && health.sent === health.answered,
    };
  } finally {
    await bare.stop();
  }
}

/** Milliseconds until every server has it. */
async function setTraffic(base: string, version: number): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(`${base}/v1/endpoints/live`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ variants: [{ name: 'stable', version, weight: 100 }] }),
  });
  if (response.status !== 200) throw new Error(`traffic answered ${response.status}: ${await response.text()}`);
  return performance.now() - startMs;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
