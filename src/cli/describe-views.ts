// The versions of views as people read them: a table that fits a terminal, a legend of what is short in it, and lines on what
// a version waits for, does or failed by.

import type { Aged, ViewStatus } from '../control/index.ts';
import { counted, formatDuration, MICROS_PER_SECOND } from '../core/index.ts';
import { formatTable, GAP } from './table.ts';

export function describeViews(views: readonly ViewStatus[]): string {
  const table = formatTable([HEAD, ...toRows(views)]);
  const notes = [
    ...waitingWriters(views),
    ...running(views),
    ...unfilled(views),
    ...lacks(views),
    ...failures(views),
    ...clocksAhead(views),
  ];
  return table + (views.length === 0 ? '' : LEGEND) + notes.join('');
}

const HEAD = ['VIEW', 'VERSION', 'STATE', 'READ BY', 'FRESH', 'NEWEST', 'RUN', 'LOOK', 'FILES TO', 'WAITS'];

const LEGEND = '\n\n* is applied; NEWEST, RUN and LOOK tell how long ago. --help tells more, --json tells all in full.';

/** What a terminal shows of a line at least. */
const WIDTH = 120;
/** Names are cut where the other columns leave no room, to no less than this if they can't be shown whole. */
const VIEW_WIDTH = { least: 12, most: 30 };
const READERS_WIDTH = { least: 10, most: 22 };

/** Views and their readers share what the other columns leave; a version is told apart by its hash. */
function toRows(views: readonly ViewStatus[]): string[][] {
  const rest = views.map(otherCells);
  const [, ...heads] = HEAD.filter((head) => head !== 'READ BY');
  const others = formatTable([heads, ...rest]).split('\n');
  const room = WIDTH - widest(others) - 2 * GAP;
  const longest = Math.min(VIEW_WIDTH.most, widest(views.map(({ view }) => view)));
  const read = views.map((view) => readers(view, within(READERS_WIDTH, room - longest)));
  const viewWidth = within(VIEW_WIDTH, room - widest([...read, 'READ BY']));
  return views.map(({ view }, at) => {
    const [version = '', state = '', ...more] = rest[at] ?? [];
    return [cut(view, viewWidth), version, state, read[at] ?? '', ...more];
  });
}

const widest = (texts: readonly string[]): number => Math.max(...texts.map(({ length }) => length));

const within = ({ least, most }: typeof VIEW_WIDTH, width: number): number => Math.max(least, Math.min(most, width));

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

function otherCells(view: ViewStatus): string[] {
  const run = view.last_run;
  return [
    `${view.version.slice(view.version.lastIndexOf('@') + 1)}${view.current ? '*' : ''}`,
    completeness(view),
    view.freshness,
    age(view.newest_event),
    run === null ? 'never' : `${run.run}, ${age(run.finished)}`,
    age(view.last_look),
    view.boundary === null ? '-' : toMinute(view.boundary),
    waits(view),
  ];
}

function completeness({ complete, store_lacks: lacking }: ViewStatus): string {
  if (lacking !== null) return lacking.absent ? 'absent' : 'partial';
  return complete ? 'complete' : 'filling';
}

/**
 * As many as fit. Training sets by their number: there may be many. They were made by its definitions, and keep no records.
 */
function readers({ read_by: readBy, unread_since: unread }: ViewStatus, width: number): string {
  const sets = readBy.filter(({ kind }) => kind === 'training_set').length;
  const names = new Set(
    readBy.flatMap((reader) =>
      reader.kind === 'service'
        ? [reader.service]
        : reader.kind === 'model'
          ? [`${reader.model} ${reader.version}`]
          : [],
    ),
  );
  if (names.size === 0 && unread !== null) return cut(`none since ${unread.slice(0, 10)}`, width);
  const all = [...names, ...(sets === 0 ? [] : [counted(sets, 'training set')])];
  if (all.length === 0) return '-';
  for (let shown = all.length; shown > 1; shown--) {
    const text = listed(all, shown, width);
    if (text.length <= width && !text.includes('…')) return text;
  }
  return listed(all, 1, width);
}

function listed(all: readonly string[], shown: number, width: number): string {
  const more = shown < all.length ? `, +${all.length - shown}` : '';
  return cut(all.slice(0, shown).join(', '), width - more.length) + more;
}

/** In the greatest unit alone. */
function age(aged: Aged | null): string {
  if (aged === null) return '-';
  return /^\d+[a-z]+/.exec(formatDuration(aged.age_seconds * MICROS_PER_SECOND))?.[0] ?? '0s';
}

/** Of an RFC 3339 time. */
const toMinute = (time: string): string => time.slice(0, 16).replace('T', ' ');

function waits({ coverage }: ViewStatus): string {
  const cuts = coverage.reduce((sum, { waiting }) => sum + waiting, 0);
  return cuts === 0 ? '-' : counted(cuts, 'cut');
}

/** Each once, for all views that it waits with. */
function waitingWriters(views: readonly ViewStatus[]): string[] {
  const waiting = views.flatMap(({ coverage }) => coverage.filter((one) => one.waiting > 0));
  const names = new Set(waiting.map(({ writer, machine }) => `writer ${writer} on ${machine}`));
  return names.size === 0 ? [] : [`\nCuts of ${[...names].join(', ')} wait for a run.`];
}

function running(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ version, running: run }) => {
    if (run === null) return [];
    return [`\n${version}: run ${run.run} ${run.state === 'asked' ? 'has asked, and waits its turn' : 'writes'}.`];
  });
}

function unfilled(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ version, waits_for: waitsFor }) => {
    if (waitsFor === null) return [];
    const nodes = waitsFor.nodes.length === 0 ? [] : [`a run to fill ${waitsFor.nodes.join(', ')}`];
    const writers = waitsFor.writers.map(({ writer, machine }) => `a run past writer ${writer} on ${machine}`);
    const what = [...nodes, ...writers].join(', ');
    return [`\n${version} waits for ${what}: headrace materialize --incremental --views ${version}`];
  });
}

function lacks(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ store_lacks: lacking }) => (lacking === null ? [] : [`\n${lacking.reason}`]));
}

// An error may be long.
function failures(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ version, failed }) =>
    failed === null ? [] : [`\nRun ${failed.run} of ${version} failed: ${failed.error}`],
  );
}

/** Less is told by clocks that are right, read one after the other. */
const AHEAD_SECONDS = 60;

function clocksAhead(views: readonly ViewStatus[]): string[] {
  const writers = new Map(views.flatMap(({ coverage }) => coverage.map((one) => [one.writer, one])));
  return [...writers.values()]
    .filter((one) => one.state === 'open' && one.clock_ahead_seconds >= AHEAD_SECONDS)
    .map(({ writer, machine, clock_ahead_seconds: seconds }) => {
      const ahead = formatDuration(seconds * MICROS_PER_SECOND);
      return `\nThe clock of writer ${writer} on ${machine} is ${ahead} ahead of this one. If it is ahead of the online store's too, the pushes that it takes are stamped by the store's clock. Set it right.`;
    });
}
