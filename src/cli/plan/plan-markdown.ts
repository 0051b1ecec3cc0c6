// A plan as a comment on a pull request: GitHub's Markdown. Whatever comes from definitions stands in code spans, where
// nothing of it is markup, a link or a mention.

import type { PlanReport } from '../../control/index.ts';
import type { PlanChange } from '../../registry/index.ts';
import { describeFilling, summarize, titleOf, touchedBesides, versionsOf } from './describe-plan.ts';
import { visible } from './visible.ts';

/** GitHub takes 65,536 characters in a comment. */
const MOST_CHARACTERS = 60_000;

/** Breaking changes first. */
export function planMarkdown(report: PlanReport): string {
  const ordered = [...report.breaking, ...report.changes.filter(({ breaking }) => breaking === null)];
  const parts = [
    heading(report),
    ...(report.refused.length === 0 ? [] : ['### ⛔ Apply refuses it', report.refused.map(refusal).join('\n')]),
    ...(ordered.length === 0 ? [] : [table(ordered)]),
    ...(report.breaking.length === 0 ? [] : ['### ⚠ Breaking', ...report.breaking.map(breakingItem)]),
    ...views(report),
    ...details(ordered),
  ];
  return fit(parts);
}

function heading(report: PlanReport): string {
  const { changes, breaking, refused } = report;
  if (changes.length === 0) return `## Feature plan: nothing to change\n\n${summarize(report)}`;
  const count = `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}`;
  if (refused.length > 0) return `## ⛔ Feature plan: ${summarize(report)}`;
  if (breaking.length === 0) return `## Feature plan: ${count}, none breaking`;
  return `## ⚠ Feature plan: ${count}, ${breaking.length} breaking\n\nApplying it wants \`headrace apply --yes\`.`;
}

function refusal({ code: error, message }: PlanReport['refused'][number]): string {
  return `- \`${error}\`: ${code(message)}`;
}

const KINDS = ['type', 'meaning', 'code'] as const;

/** Of a table; lists that are cut say so. */
const MOST_ROWS = 100;

function table(changes: readonly PlanChange[]): string {
  const rows = changes.slice(0, MOST_ROWS).map((change) => {
    const counts = KINDS.map((kind) => change.lines.filter((line) => line.kind === kind).length);
    const others = change.lines.length - counts.reduce((sum, count) => sum + count, 0);
    const cells = [...counts, others].map((count) => (count === 0 ? '' : String(count)));
    return ['', change.breaking === null ? '' : '⚠', change.kind, nameOf(change, true), ...cells, '']
      .join(' | ')
      .trim();
  });
  const more = changes.length > MOST_ROWS ? [`|  |  | and ${changes.length - MOST_ROWS} more |  |  |  |  |`] : [];
  return [
    '| breaks | change | object | type | meaning | code | other |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    ...more,
  ].join('\n');
}

/** `view `airport_delays`` */
function nameOf(change: PlanChange, isInTable = false): string {
  return `${change.object} ${code(titleOf(change), isInTable)}`;
}

function breakingItem(change: PlanChange): string {
  const reasons = change.reasons.flatMap(({ what, who }) => [
    `  - ${code(what)}`,
    ...who.map((one) => `    - ${code(one)}`),
  ]);
  return [`- **${nameOf(change)}**`, ...reasons].join('\n');
}

function details(changes: readonly PlanChange[]): string[] {
  const items = changes.flatMap((change) => {
    const lines = [
      ...change.lines.map(({ kind, text }) => `  - ${kind}: ${code(text)}`),
      ...touchedBesides(change).map((who) => `  - touches ${code(who)}`),
      ...change.hints.map((hint) => `  - hint: ${code(hint)}`),
    ];
    return lines.length === 0 ? [] : [[`- **${nameOf(change)}**`, ...lines].join('\n')];
  });
  return items.length === 0 ? [] : ['### What changes', ...items];
}

function views({ views: all, command }: PlanReport): string[] {
  if (all.length === 0) return [];
  const rows = all.slice(0, MOST_ROWS).map((view) => {
    const isRefilled = view.needs_run && view.old_version !== null;
    const [estimate = '', ...more] = isRefilled ? describeFilling(view) : ['', ...describeFilling(view)];
    const cells = [code(view.view, true), code(versionsOf(view), true), estimate];
    return `| ${[...cells, more.map((text) => code(text, true)).join('<br>')].join(' | ')} |`;
  });
  const head = ['| view | version | to fill | until then |', '|---|---|---|---|'];
  if (all.length > MOST_ROWS) rows.push(`| and ${all.length - MOST_ROWS} more |  |  |  |`);
  const fill = command === null ? [] : [`Once it is applied:\n\n\`\`\`sh\n${command}\n\`\`\``];
  return [['### Views with a new version', '', ...head, ...rows].join('\n'), ...fill];
}

// From the first part that is too much on, it is only said that there is more.
function fit(parts: readonly string[]): string {
  let text = '';
  for (const [at, part] of parts.entries()) {
    const isNextItem = isItem(part) && isItem(parts[at - 1] ?? '');
    const next = text === '' ? part : `${text}${isNextItem ? '\n' : '\n\n'}${part}`;
    if (next.length > MOST_CHARACTERS)
      return `${text}\n\n… and more than fits here: \`headrace plan\` shows all of it.`;
    text = next;
  }
  return text;
}

function isItem(part: string): boolean {
  return part.startsWith('- **');
}

/** A code span of any text, in one line. In a table a bar would end the cell. */
export function code(text: string, isInTable = false): string {
  const line = visible(text);
  const fence = '`'.repeat(1 + Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length)));
  const pad = /^[` ]|[` ]$/.test(line) || line === '' ? ' ' : '';
  const span = `${fence}${pad}${line}${pad}${fence}`;
  return isInTable ? span.replaceAll('|', '\\|') : span;
}
