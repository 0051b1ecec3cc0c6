// A plan as people read it: a line for each object, under it what differs, what that breaks and for whom; then the views to
// fill, and what it comes to in a line.

import { formatDuration, MICROS_PER_SECOND } from '../../core/index.ts';
import type { PlannedView, PlanReport } from '../../control/index.ts';
import {
  type BreakingReason,
  describeEach,
  describeTouched,
  type LineKind,
  type PlanChange,
  type Touched,
} from '../../registry/index.ts';
import { type Format, type Paint, plain } from '../paint.ts';
import { visible } from './visible.ts';

type Changes = Pick<PlanReport, 'baseRevision' | 'changes' | 'breaking'> & Partial<Pick<PlanReport, 'refused'>>;

/** What changes, and what it comes to. */
export function describePlan(plan: Changes, paint: Paint = plain): string {
  return [...plan.changes.flatMap((change) => changeLines(change, paint)), '', summaryLine(plan, paint)]
    .join('\n')
    .trimStart();
}

/** The same with the views to fill. `isAgreed`: it goes ahead whatever it breaks. */
export function describeReport(report: PlanReport, paint: Paint, isAgreed = false): string {
  const parts = [
    report.changes.flatMap((change) => changeLines(change, paint)),
    viewLines(report, paint),
    refusedLines(report, paint),
    [summaryLine(report, paint, isAgreed)],
  ];
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** `2 changes, 1 breaking: apply wants --yes` */
export function summarize({ baseRevision, changes, breaking, refused = [] }: Changes, isAgreed = false): string {
  if (changes.length === 0) return `Nothing to change; revision ${baseRevision} is what the repository says.`;
  const count = `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}`;
  const broken = breaking.length === 0 ? 'none' : String(breaking.length);
  if (refused.length > 0) return `${count}, ${broken} breaking: apply refuses it, with --yes too`;
  return `${count}, ${broken} breaking${isAgreed || breaking.length === 0 ? '' : ': apply wants --yes'}`;
}

function summaryLine(plan: Changes, paint: Paint, isAgreed = false): string {
  return paint(
    plan.breaking.length > 0 || (plan.refused ?? []).length > 0 ? ['bold', 'red'] : 'bold',
    summarize(plan, isAgreed),
  );
}

const SIGNS: Readonly<Record<PlanChange['kind'], readonly [sign: string, format: Format]>> = {
  add: ['+', 'green'],
  change: ['~', 'yellow'],
  rename: ['>', 'cyan'],
  remove: ['-', 'red'],
};

const FORMATS: Readonly<Partial<Record<LineKind, Format>>> = { about: 'dim', name: 'cyan' };

function changeLines(change: PlanChange, paint: Paint): string[] {
  const [sign, format] = SIGNS[change.kind];
  return [
    `${paint(format, sign)} ${change.object} ${paint('bold', titleOf(change))}`,
    ...change.lines.map(({ kind, text }) =>
      labelled(kind, FORMATS[kind] === undefined ? visible(text) : paint(FORMATS[kind], visible(text)), paint),
    ),
    ...change.reasons.flatMap((reason) => breakingLines(reason, paint)),
    ...touchesLines(change, paint),
    ...change.hints.map((hint) => labelled('hint', visible(hint), paint, 'cyan')),
  ];
}

/** The name; of what is renamed both. */
export function titleOf({ name, former }: PlanChange): string {
  return former === null ? name : `${former} → ${name}`;
}

const LABEL_WIDTH = 9;

function labelled(label: string, text: string, paint: Paint, format: Format = 'dim'): string {
  return `    ${paint(format, label.padEnd(LABEL_WIDTH))}${text}`;
}

function breakingLines({ what, who }: BreakingReason, paint: Paint): string[] {
  return [
    labelled('BREAKS', paint('red', visible(what)), paint, ['bold', 'red']),
    ...who.map((one) => labelled('', visible(one), paint)),
  ];
}

/** Who is touched and is not named by a reason why it breaks something. */
export function touchedBesides({ reasons, touched }: PlanChange): string[] {
  const named = new Set(reasons.flatMap((reason) => reason.touched.map(describeTouched)));
  return describeEach(touched.filter((one) => !named.has(describeTouched(one))));
}

function touchesLines(change: PlanChange, paint: Paint): string[] {
  return touchedBesides(change).map((who, at) => labelled(at === 0 ? 'touches' : '', visible(who), paint));
}

function refusedLines({ refused }: PlanReport, paint: Paint): string[] {
  return refused.map(({ code, message }) => `${paint(['bold', 'red'], `REFUSED ${code}`)}  ${visible(message)}`);
}

const MOST_VIEWS = 20;

function viewLines({ views, command }: PlanReport, paint: Paint): string[] {
  if (views.length === 0) return [];
  const shown = views.slice(0, MOST_VIEWS);
  const width = Math.max(...shown.map(({ view }) => view.length));
  return [
    paint('bold', 'Views with a new version'),
    ...shown.flatMap((view) => [
      `    ${view.view.padEnd(width)}  ${paint('dim', versionsOf(view))}`,
      ...describeFilling(view).map((text) => `        ${text}`),
    ]),
    ...(views.length > shown.length ? [`    and ${views.length - shown.length} more`] : []),
    ...(command === null ? [] : [`    ${paint('dim', 'once applied:')} ${command}`]),
  ];
}

/** `3f2a9c1d7b60 → 88aa12bc34de` */
export function versionsOf({ old_version: old, new_version: next }: PlannedView): string {
  return old === null ? `new ${hashOf(next)}` : `${hashOf(old)} → ${hashOf(next)}`;
}

function hashOf(version: string): string {
  return version.slice(version.lastIndexOf('@') + 1);
}

/** What it takes to fill it, and what answers until then, in a few short lines. */
export function describeFilling(view: PlannedView): string[] {
  const { needs_run: needsRun, old_version: old, services } = view;
  const stays = old === null ? [] : keptFor(view);
  if (!needsRun) return ['kept and complete: nothing to fill', ...stays];
  if (old === null) return [];
  const answers = `${services.length === 1 ? 'service' : 'services'} ${services.join(', ')} ${services.length === 1 ? 'answers' : 'answer'}`;
  const until = view.old_answers
    ? `until it is filled, ${answers} by the old version`
    : `the old version is not complete either: ${answers} as now until it is filled`;
  return [describeEstimate(view), services.length === 0 ? 'no service reads it' : until, ...stays];
}

/** `about 312 keys in 4s, by run 12` */
export function describeEstimate({ estimate }: PlannedView): string {
  if (estimate === null) return 'no run yet to tell how long it takes';
  const { keys, seconds, run } = estimate;
  const time = seconds < 1 ? 'under a second' : formatDuration(Math.round(seconds) * MICROS_PER_SECOND);
  return `about ${keys.toLocaleString('en')} ${keys === 1 ? 'key' : 'keys'} in ${time}, by run ${run}`;
}

function keptFor({ kept_for: kept }: PlannedView): string[] {
  if (kept.length === 0) return [];
  const who = kept.map((one): Touched => ({ kind: 'model', ...one, features: [] }));
  return [`the old version stays for ${who.map(describeTouched).join(', ')}`];
}
