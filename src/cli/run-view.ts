// A run as it goes on: on a terminal its steps as they stand, drawn over themselves; elsewhere a line whenever a step ends, and one for
// each task that does not do well.

import type { EnvironmentBuild, PoolWait, StepProgress, TaskReport } from '../orchestrator/index.ts';
import { MICROS_PER_SECOND } from '../core/index.ts';
import type { Format, Paint } from './paint.ts';
import { describeTook } from './took.ts';

export interface RunView {
  onProgress(steps: readonly StepProgress[]): void;
  onTask(report: TaskReport): void;
  onEnvironment(build: EnvironmentBuild): void;
  /** Leaves what is drawn as it is. */
  close(): void;
}

interface Screen {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
}

const BAR = 20;
const MARKS: Readonly<Record<StepProgress['state'], readonly [string, Format]>> = {
  waiting: ['·', 'gray'],
  open: ['▸', 'cyan'],
  succeeded: ['✓', 'green'],
  failed: ['✗', 'red'],
  skipped: ['–', 'gray'],
  cancelled: ['–', 'yellow'],
};

/** `tell` ends what it is given with a line break. */
export function createRunView(tell: (text: string) => void, paint: Paint, screen: Screen): RunView {
  return screen.isTerminal ? drawn(tell, paint, screen) : told(tell);
}

function told(tell: (text: string) => void): RunView {
  const ended = new Set<string>();
  /** Steps of which it was told that nothing of them runs for lack of slots. */
  const waiting = new Set<string>();
  return {
    onProgress(steps) {
      for (const step of steps) {
        if (step.waitsForPool?.slots === 0 && !waiting.has(step.name)) {
          waiting.add(step.name);
          tell(`  ${step.name} ${describePoolWait(step.waitsForPool)}`);
        }
        if (step.state === 'waiting' || step.state === 'open' || step.depth > 0 || ended.has(step.name)) continue;
        ended.add(step.name);
        tell(`  ${step.name} ${step.state}${countsOf(step)}`);
      }
    },
    onTask(report) {
      if (report.event !== 'succeeded') tell(`  ${describeTask(report)}`);
    },
    onEnvironment: (build) => tell(`  ${describeBuild(build)}`),
    close: () => {},
  };
}

function drawn(tell: (text: string) => void, paint: Paint, { columns, rows }: Screen): RunView {
  let height = 0;
  let latest: readonly StepProgress[] = [];
  const clear = (): string => (height === 0 ? '' : `\u001b[${height}A\u001b[0J`);
  const draw = (): void => {
    const lines = runLines(latest, paint, columns, Math.max(4, rows - 2));
    if (lines.length > 0) tell(`${clear()}${lines.join('\n')}`);
    height = lines.length;
  };
  return {
    onProgress(steps) {
      latest = steps;
      draw();
    },
    onTask(report) {
      if (report.event === 'succeeded') return;
      // Above what is drawn, where it stays.
      tell(`${clear()}  ${paint(report.event === 'failed' ? 'red' : 'yellow', describeTask(report))}`);
      height = 0;
      draw();
    },
    // How long the step has run is drawn.
    onEnvironment: () => {},
    close: draw,
  };
}

/** A line a step; those that are over make room for the others where there are too many. */
export function runLines(
  steps: readonly StepProgress[],
  paint: Paint,
  columns: number,
  most: number,
): readonly string[] {
  const left = steps.filter(({ state }) => state === 'waiting' || state === 'open' || state === 'failed');
  const shown = steps.length <= most ? steps : left.slice(0, most - 1);
  const width = Math.max(0, ...shown.map(({ name, depth }) => name.length + 2 * depth));
  const lines = shown.map((step) => lineOf(step, paint, width, columns));
  const hidden = steps.length - shown.length;
  return hidden === 0 ? lines : [...lines, paint('gray', `  and ${hidden} more`)];
}

function lineOf(step: StepProgress, paint: Paint, width: number, columns: number): string {
  const [mark, format] = MARKS[step.state];
  const name = `${'  '.repeat(step.depth)}${step.name}`.padEnd(width);
  const words = [countsOf(step).trim(), ...saidOf(step)].filter((word) => word !== '').join('  ');
  const bar = step.state === 'open' && (step.children ?? 0) > 1 ? `  ${barOf(step)}` : '';
  const room = Math.max(10, columns - width - bar.length - 6);
  const said = words.length > room ? `${words.slice(0, room - 1)}…` : words;
  return `  ${paint(format, mark)} ${name}${paint('cyan', bar)}  ${said}`.trimEnd();
}

/** `waits for pool warehouse (held by run 20261125-031500-9f3a61: 2)`. */
export function describePoolWait({ pool, holders }: PoolWait): string {
  const held = holders.map(
    ({ run, slots, isDriven }) =>
      `run ${run}: ${slots}${isDriven ? '' : `, whose driver is gone: \`headrace runs resume ${run}\` or \`cancel\` frees them`}`,
  );
  return `waits for pool ${pool}${held.length === 0 ? '' : ` (held by ${held.join('; ')})`}`;
}

function describeBuild({ of, state, seconds }: EnvironmentBuild): string {
  const environment = `Python environment of ${of}`;
  const took = describeTook(seconds * MICROS_PER_SECOND);
  const sofar = seconds < 1 ? '' : `, for ${took} by now`;
  if (state === 'waits') return `${environment} is being built by another process${sofar}`;
  if (state === 'builds') return `${environment} is being built${sofar}`;
  return `${environment} ${state === 'done' ? 'is there' : 'could not be built'} after ${took}`;
}

function saidOf({ state, counts, waitsFor, longestMicros, waitsForPool }: StepProgress): readonly string[] {
  if (state === 'waiting') return waitsFor.length === 0 ? [] : [`waits for ${waitsFor.join(', ')}`];
  return [
    ...(counts.running > 0 ? [`${counts.running} running`] : []),
    ...(counts.retry > 0 ? [`${counts.retry} to be tried again`] : []),
    ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ...(waitsForPool === undefined ? [] : [describePoolWait(waitsForPool)]),
    // What takes long is worth a look.
    ...(longestMicros !== null && longestMicros > 10_000_000
      ? [`the longest for ${Math.round(longestMicros / 1e6)} s`]
      : []),
  ];
}

function countsOf({ children, counts: { succeeded } }: StepProgress): string {
  return children === null ? '' : ` ${succeeded}/${children}`;
}

function barOf({ children, counts: { succeeded } }: StepProgress): string {
  const full = Math.floor((BAR * succeeded) / Math.max(1, children ?? 1));
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
}

function describeTask({ step, scope, index, isChild, event, seconds, reason }: TaskReport): string {
  const place = [...(scope === '' ? [] : [scope]), ...(isChild ? [index] : [])].join('/');
  const time = seconds === undefined ? '' : ` in ${seconds.toFixed(1)} s`;
  return `${step}${place === '' ? '' : `[${place}]`} ${event}${time}${reason === undefined ? '' : `: ${reason}`}`;
}
