// What a run shows: a line while it goes on, then what was sent by phase, then the thresholds with their verdicts.

import type { DriveProgress, StreamFigures } from './drive.ts';
import type { Verdict } from './judge.ts';
import type { ScenarioRun } from './run-scenario.ts';

export function presentRun({ scenario, result, verdicts, notes, isHeld }: ScenarioRun): string {
  return [
    '',
    ...table([
      ['requests', 'phase', 'sent', 'answered', 'refused and failed', 'p50', 'p99', 'max'],
      ...result.streams.flatMap(streamRows),
    ]),
    '',
    ...table([['', 'threshold', 'must be', 'measured', 'beside'], ...verdicts.map(verdictRow)]),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => `Note: ${note}`)]),
    '',
    ...verdicts.flatMap(({ threshold, unjudged }) =>
      unjudged === undefined ? [] : [`${threshold}: not judged, since ${unjudged}`],
    ),
    verdictLine(scenario, verdicts, isHeld),
  ].join('\n');
}

export function presentProgress({ phase, seconds, sent, answered, refused }: DriveProgress): string {
  return `${String(Math.round(seconds)).padStart(4)} s  ${phase}: ${sent} sent, ${answered} answered, ${refused} refused`;
}

function verdictLine(scenario: string, verdicts: readonly Verdict[], isHeld: boolean): string {
  const count = (isMet: boolean | undefined): number => verdicts.filter((verdict) => verdict.isMet === isMet).length;
  const unjudged = count(undefined) === 0 ? '' : `, ${count(undefined)} NOT JUDGED`;
  if (isHeld) return `${scenario} passed${unjudged === '' ? '' : `: ${count(true)} held${unjudged}`}`;
  return `${scenario} FAILED: ${count(false)} broken${unjudged}`;
}

function streamRows({ request, phases }: StreamFigures): string[][] {
  return phases.map(({ phase, seconds, sent, answered, statuses, p50Ms, p99Ms, maxMs }) => {
    const others = Object.entries(statuses).filter(([status]) => !status.startsWith('2'));
    const ms = (value: number): string => (Number.isNaN(value) ? '–' : `${value.toFixed(1)} ms`);
    return [
      request,
      `${phase}, ${seconds.toFixed(1)} s`,
      `${sent} (${(sent / seconds).toFixed(0)}/s)`,
      String(answered),
      others.map(([status, count]) => `${status}: ${count}`).join(', '),
      ms(p50Ms),
      ms(p99Ms),
      ms(maxMs),
    ];
  });
}

function verdictRow({ threshold, bound, measured, floor = '', isMet }: Verdict): string[] {
  const word = isMet === undefined ? 'not judged' : isMet ? 'ok' : 'FAIL';
  return [word, threshold, bound, measured, floor];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
