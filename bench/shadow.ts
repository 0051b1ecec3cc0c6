// What a version that shadows all rows costs those who are answered: the same requests at half of what the server can do, in
// rounds with and without it taken in turn, over the load tests' own project and driver.

import { openApp, readEnvironment, registerModelFile } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';
import { driveApart } from '../load-tests/drive-apart.ts';
import type { PhaseFigures } from '../load-tests/outcomes.ts';
import { createLoadProject, SCORE_FEATURES } from '../load-tests/own-project.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { text } from '../test/support/protobuf.ts';
import { median } from './median.ts';
import { type Figure, type Section, whole } from './report.ts';
import { startHeadrace, untilReady } from './servers.ts';

/** Of the p99 without a shadow. */
const MOST_P99_RATIO = 1.1;
const CONNECTIONS = 16;

export async function shadowSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const [rounds, seconds] = isQuick ? [2, 3] : [9, 5];
  const project = await createLoadProject();
  try {
    const version = await registerSecond(project.directory);
    const server = await startHeadrace(project.directory);
    try {
      await untilReady(server);
      const load = async (given: { connections: number } | { from: number; to: number }): Promise<PhaseFigures> => {
        const { streams } = await driveApart({
          target: 'own',
          phases: [{ name: 'load', seconds }],
          streams: [{ request: 'predict', base: server.url, loads: [given] }],
        });
        return streams[0]?.phases[0] as PhaseFigures;
      };
      // The first warms up.
      await load({ connections: CONNECTIONS });
      const full = await load({ connections: CONNECTIONS });
      const half = full.answered / full.seconds / 2;
      const without: PhaseFigures[] = [];
      const shadowed: PhaseFigures[] = [];
      for (let round = 0; round < rounds; round++) {
        for (const [figures, shadows] of [
          [without, []],
          [shadowed, [{ version, percent: 100 }]],
        ] as const) {
          await setShadows(server.url, shadows);
          figures.push(await load({ from: half, to: half }));
        }
      }
      const told = await readShadow(server.url);
      return { title: 'Shadow', about: ABOUT, figures: figuresOf(half, without, shadowed, told) };
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}

const ABOUT =
  'One worker; 200 trees over 12 stored features and one on demand, one row a request. Half of what 16 connections that always ask get through comes at its times; latencies count from when a request was to be sent. A second version of the same size shadows all rows in every other round: medians of the rounds.';

function figuresOf(
  half: number,
  without: readonly PhaseFigures[],
  shadowed: readonly PhaseFigures[],
  told: ShadowTold,
): Figure[] {
  const of = (figures: readonly PhaseFigures[], pick: (figure: PhaseFigures) => number): number =>
    median(figures.map(pick));
  const latencies = (figures: readonly PhaseFigures[]): string =>
    `p50 ${ms(of(figures, ({ p50Ms }) => p50Ms))}, p99 ${ms(of(figures, ({ p99Ms }) => p99Ms))}`;
  const ratio = of(shadowed, ({ p99Ms }) => p99Ms) / of(without, ({ p99Ms }) => p99Ms);
  const failed = [...without, ...shadowed].reduce((sum, { sent, answered }) => sum + sent - answered, 0);
  const sent = shadowed.reduce((sum, { answered }) => sum + answered, 0);
  const dropped = Object.entries(told.dropped).map(([reason, count]) => `${reason} ${whole(count)}`);
  return [
    {
      name: `answers at ${whole(half)} requests a second, all of them shadowed`,
      value: `${latencies(shadowed)}${failed === 0 ? '' : `, ${failed} FAILED`}`,
      floor: `without a shadow: ${latencies(without)}`,
      ratio: ratio.toFixed(2),
      mustBe: `p99 ≤ ${MOST_P99_RATIO} × without`,
      isReached: ratio <= MOST_P99_RATIO && failed === 0,
    },
    {
      name: 'rows that the shadow answered',
      value: `${whole(told.pairs)} of ${whole(sent)}`,
      ...(dropped.length === 0 ? {} : { floor: `dropped: ${dropped.join(', ')}` }),
    },
  ];
}

/** Another version of the model `score`, alike but for its name, so that it is loaded by itself. */
async function registerSecond(directory: string): Promise<number> {
  const app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: directory },
    logger: silentLogger,
  });
  try {
    // The producer's name; a later field of the same number counts.
    const onnx = Buffer.concat([treesModel(SCORE_FEATURES, 200, 5), text(2, 'bench')]);
    return (await registerModelFile(app, { model: 'score', onnx })).version;
  } finally {
    await app.close();
  }
}

async function setShadows(base: string, shadows: readonly object[]): Promise<void> {
  const response = await fetch(`${base}/v1/endpoints/live`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ variants: [{ name: 'stable', version: 1, weight: 100 }], shadows }),
  });
  if (response.status !== 200) throw new Error(`traffic answered ${response.status}: ${await response.text()}`);
}

interface ShadowTold {
  readonly pairs: number;
  readonly dropped: Readonly<Record<string, number>>;
}

async function readShadow(base: string): Promise<ShadowTold> {
  const response = await fetch(`${base}/v1/endpoints/live/shadows`);
  const [told] = ((await response.json()) as { readonly shadows: readonly ShadowTold[] }).shadows;
  if (told === undefined) throw new Error('the server tells of no shadow');
  return told;
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;
