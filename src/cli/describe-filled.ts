// What a materialize did and what failed, as people read it and as JSON.

import type { FailedVersion, FilledOnline } from '../app/index.ts';
import { presentNeed, type VersionReader } from '../control/index.ts';
import { type HeadraceError, toHeadraceError } from '../core/index.ts';
import type { MaterializedView } from '../offline/index.ts';
import { describeNeed } from '../registry/index.ts';
import { describeChecks } from './describe-checks.ts';
import { describeUnconverted } from './describe-unconverted.ts';
import { formatTable } from './table.ts';

/** All views in one table, those that failed last, and lines under it. */
export function filledTable({ views, failed }: FilledOnline): string {
  return [
    formatTable([HEAD, ...views.map(toRow), ...failed.map(({ view }) => [view, 'failed', ...NOTHING])]),
    ...views.map(whoHolds),
    ...views.map(({ view, unconverted }) => describeUnconverted(view, unconverted)),
    describeChecks(views.flatMap(({ checks }) => checks)),
  ].join('');
}

const HEAD = ['VIEW', 'STATE', 'RUN', 'KEYS OF', 'TO', 'BOUNDARY', 'KEYS', 'RECORDS', 'ROWS', 'IGNORED'];
const NOTHING = HEAD.slice(2).map(() => '-');

function toRow(view: MaterializedView): string[] {
  return [
    view.view,
    view.state,
    view.run === null ? '-' : String(view.run),
    view.full ? `all: ${view.why}` : view.why,
    view.to,
    view.boundary ?? '-',
    String(view.keys),
    String(view.written),
    String(view.rowsInRange),
    String(view.rowsIgnored),
  ];
}

function whoHolds({ view, heldBy }: MaterializedView): string {
  if (heldBy.length === 0) return '';
  const holders = heldBy.map(({ writer, machine }) => `writer ${writer} on ${machine}`).join(', ');
  return `\n${view}: the boundary stays where it was, held by ${holders}, which did not answer.`;
}

/** Why, whom it is kept for where it isn't what is applied, and what to do: lines for stderr. */
export function describeFailure({ view, version, error, isRead, needs }: FailedVersion, isDryRun: boolean): string {
  const { code, message } = toHeadraceError(error);
  if (!isRead) {
    return (
      `${view} could not be materialized (${code}: ${message})\n` +
      `  No failure, as nothing reads it any more: it goes by itself, or now with \`headrace views remove ${version}\`.`
    );
  }
  const kept = needs.filter(({ by }) => by !== 'applied').map(describeNeed);
  const isApplied = needs.some(({ by }) => by === 'applied');
  return [
    `${code}: ${message}`,
    ...(isApplied || kept.length === 0 ? [] : [`  ${view} is kept, as ${kept.join(', and ')}.`]),
    ...(isDryRun ? [] : [`  Once that is mended: headrace materialize --incremental --views ${view}`]),
  ].join('\n');
}

export interface PresentedFailure {
  readonly view: string;
  readonly version: string;
  readonly state: 'failed';
  readonly error: Pick<HeadraceError, 'code' | 'message' | 'details'>;
  /** False: it is no failure of the command. */
  readonly isRead: boolean;
  readonly keptFor: readonly VersionReader[];
}

/** As plain JSON data. */
export function presentFailed({ view, version, error, isRead, needs }: FailedVersion): PresentedFailure {
  const { code, message, details } = toHeadraceError(error);
  return {
    view,
    version,
    state: 'failed',
    error: { code, message, details },
    isRead,
    keptFor: needs.flatMap(presentNeed),
  };
}
