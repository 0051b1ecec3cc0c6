// A plan as it is printed: for people, and for a comment on a pull request.

import { PassThrough } from 'node:stream';
import { WriteStream } from 'node:tty';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Paint, paintOn } from '../../src/cli/paint.ts';
import { describePlan, describeReport } from '../../src/cli/plan/describe-plan.ts';
import { code, planMarkdown } from '../../src/cli/plan/plan-markdown.ts';
import type { PlannedView, PlanReport } from '../../src/control/index.ts';
import type { PlanChange, Touched } from '../../src/registry/index.ts';

const features = ['origin__mean_7d'];
const model: Touched = { kind: 'model', model: 'delay_classifier', versions: [2, 3], features };
const set = (at: number): Touched => ({ kind: 'training_set', id: `ab12cd34${at}`, name: null, features });
const none = { lines: [], detail: [], reasons: [], touched: [], hints: [] };
const change = (more: Partial<PlanChange>): PlanChange => ({
  ...none,
  kind: 'change',
  object: 'view',
  name: 'airport_delays',
  former: null,
  breaking: null,
  spec: {},
  ...more,
});
const GO_ON = 'model delay_classifier versions 2, 3 (they go on getting what they were registered with)';
const broken = change({
  lines: [
    { kind: 'meaning', text: 'feature "mean_7d": mean(delay) over 7d → mean(delay) over 14d' },
    { kind: 'about', text: 'description: "a" → "b"' },
  ],
  breaking: 'it breaks',
  reasons: [{ what: 'origin__mean_7d changes meaning', who: [GO_ON], touched: [model] }],
  touched: [model, set(1)],
});
const renamed = change({ kind: 'rename', name: 'lateness', former: 'delays' });
const view: PlannedView = {
  view: 'airport_delays',
  old_version: 'airport_delays@3f2a9c1d7b60',
  new_version: 'airport_delays@88aa12bc34de',
  needs_run: true,
  old_answers: true,
  services: ['delay_features', 'more'],
  kept_for: [{ model: 'delay_classifier', versions: [2] }],
  command: 'headrace materialize --incremental --views airport_delays',
  estimate: { keys: 1312, seconds: 72.4, run: 12 },
};
const reportOf = (changes: readonly PlanChange[], views: readonly PlannedView[] = []): PlanReport => ({
  baseRevision: 3,
  changes,
  breaking: changes.filter(({ breaking }) => breaking !== null),
  refused: [],
  views,
  command: views.find(({ command }) => command !== null)?.command ?? null,
  touched: [],
});
const text = (report: PlanReport, paint?: Paint): string[] =>
  describeReport(report, paint ?? ((_, said) => said)).split('\n');

describe('a plan for people', () => {
  it('shows what differs, what that breaks and for whom, and sums up', () => {
    expect(text(reportOf([broken, renamed, change({ kind: 'add', object: 'endpoint', name: 'delay' })]))).toEqual([
      '~ view airport_delays',
      '    meaning  feature "mean_7d": mean(delay) over 7d → mean(delay) over 14d',
      '    about    description: "a" → "b"',
      '    BREAKS   origin__mean_7d changes meaning',
      `             ${GO_ON}`,
      '    touches  training set ab12cd34',
      '> view delays → lateness',
      '+ endpoint delay',
      '',
      '3 changes, 1 breaking: apply wants --yes',
    ]);
  });

  it('shows which views have to be filled, and what answers until then', () => {
    const unread = { ...view, view: 'idle', services: [], kept_for: [] };
    const isNew = { ...unread, view: 'routes', old_version: null, new_version: 'routes@0123456789ab', estimate: null };
    const kept = { ...view, view: 'back', needs_run: false, command: null, kept_for: [] };
    const unfilled = { ...view, view: 'again', old_answers: false, services: ['one'], kept_for: [], estimate: null };
    expect(text(reportOf([renamed], [view, isNew, kept, unfilled, unread])).slice(2)).toEqual([
      'Views with a new version',
      '    airport_delays  3f2a9c1d7b60 → 88aa12bc34de',
      '        about 1,312 keys in 1m12s, by run 12',
      '        until it is filled, services delay_features, more answer by the old version',
      '        the old version stays for model delay_classifier version 2',
      '    routes          new 0123456789ab',
      '    back            3f2a9c1d7b60 → 88aa12bc34de',
      '        kept and complete: nothing to fill',
      '    again           3f2a9c1d7b60 → 88aa12bc34de',
      '        no run yet to tell how long it takes',
      '        the old version is not complete either: service one answers as now until it is filled',
      '    idle            3f2a9c1d7b60 → 88aa12bc34de',
      '        about 1,312 keys in 1m12s, by run 12',
      '        no service reads it',
      '    once applied: headrace materialize --incremental --views airport_delays',
      '',
      '1 change, none breaking',
    ]);
  });

  it('says first of all what apply would refuse, whoever says yes', () => {
    const refused = [{ code: 'HR_EXPERIMENT_RUNNING', message: 'experiment "trial" runs' }] as const;
    const report = { ...reportOf([broken]), refused };
    expect(text(report)).toContain('REFUSED HR_EXPERIMENT_RUNNING  experiment "trial" runs');
    expect(text(report).at(-1)).toBe('1 change, 1 breaking: apply refuses it, with --yes too');
    const markdown = planMarkdown({ ...reportOf([renamed]), refused });
    expect(markdown).toMatch(/^## ⛔ Feature plan: 1 change, none breaking: apply refuses it, with --yes too\n/);
    expect(markdown).toContain('- `HR_EXPERIMENT_RUNNING`: `experiment "trial" runs`');
  });

  it('names a few of many', () => {
    const many = change({ touched: Array.from({ length: 9 }, (_, at) => set(at)) });
    const views = Array.from({ length: 25 }, (_, at) => ({ ...view, view: `v${at}`, old_version: null }));
    const shown = text(reportOf([many], views));
    expect(shown.filter((line) => line.includes('training set'))).toHaveLength(5);
    expect(shown).toContain('             5 more training sets');
    expect(shown).toContain('    and 5 more');
  });

  it('shows no character that would turn or hide what stands beside it', () => {
    const turned = change({ lines: [{ kind: 'about', text: 'description: "שלום \u202e\u001b[31m" 🛒' }] });
    expect(text(reportOf([turned]))[1]).toBe('    about    description: "שלום \\u{202e}\\u{1b}[31m" 🛒');
    const hinted = change({ hints: ['"a\u202eb" is made as "c" was'] });
    expect(text(reportOf([hinted]))[1]).toBe('    hint     "a\\u{202e}b" is made as "c" was');
  });

  it('hints at a rename that is not written', () => {
    const hint = `"lateness" is made as "delays" was: renamedFrom: 'delays' keeps its data`;
    const lateness = change({ kind: 'add', name: 'lateness', hints: [hint] });
    const report = reportOf([change({ kind: 'remove', name: 'delays' }), lateness]);
    expect(text(report).slice(0, 3)).toEqual(['- view delays', '+ view lateness', `    hint     ${hint}`]);
    expect(planMarkdown(report)).toContain(`- **view \`lateness\`**\n  - hint: \`${hint}\``);
  });

  it('says that nothing changes', () => {
    expect(text(reportOf([]))).toEqual(['Nothing to change; revision 3 is what the repository says.']);
    expect(describePlan(reportOf([]))).toBe('Nothing to change; revision 3 is what the repository says.');
  });

  it('is coloured where it is asked to be, with the same words', () => {
    const paint: Paint = (format, said) => `<${String(format)}>${said}</>`;
    const painted = describeReport(reportOf([broken], [view]), paint);
    expect(painted).toContain('<bold,red>BREAKS');
    expect(painted.replaceAll(/<[^>]*>/g, '')).toBe(text(reportOf([broken], [view])).join('\n'));
  });
});

describe('a plan in Markdown', () => {
  it('has a table of changes, breaking ones first, then the details', () => {
    expect(planMarkdown(reportOf([renamed, broken], [view])).split('\n')).toEqual([
      '## ⚠ Feature plan: 2 changes, 1 breaking',
      '',
      'Applying it wants `headrace apply --yes`.',
      '',
      '| breaks | change | object | type | meaning | code | other |',
      '|---|---|---|---|---|---|---|',
      '| ⚠ | change | view `airport_delays` |  | 1 |  | 1 |',
      '|  | rename | view `delays → lateness` |  |  |  |  |',
      '',
      '### ⚠ Breaking',
      '',
      '- **view `airport_delays`**',
      '  - `origin__mean_7d changes meaning`',
      `    - \`${GO_ON}\``,
      '',
      '### Views with a new version',
      '',
      '| view | version | to fill | until then |',
      '|---|---|---|---|',
      '| `airport_delays` | `3f2a9c1d7b60 → 88aa12bc34de` | about 1,312 keys in 1m12s, by run 12 | `until it is filled, services delay_features, more answer by the old version`<br>`the old version stays for model delay_classifier version 2` |',
      '',
      'Once it is applied:',
      '',
      '```sh',
      'headrace materialize --incremental --views airport_delays',
      '```',
      '',
      '### What changes',
      '',
      '- **view `airport_delays`**',
      '  - meaning: `feature "mean_7d": mean(delay) over 7d → mean(delay) over 14d`',
      '  - about: `description: "a" → "b"`',
      '  - touches `training set ab12cd34`',
    ]);
  });

  it('says that nothing changes', () => {
    expect(planMarkdown(reportOf([]))).toBe(
      '## Feature plan: nothing to change\n\nNothing to change; revision 3 is what the repository says.',
    );
  });

  it.each([
    ['plain', '`plain`'],
    ['a|b', '`a|b`'],
    ['`', '`` ` ``'],
    ['a ``b`` c', '```a ``b`` c```'],
    ['<img src=x onerror=alert(1)>', '`<img src=x onerror=alert(1)>`'],
    ['@team, #12, [x](y)', '`@team, #12, [x](y)`'],
    ['two\nlines\u001b[31m', '`two\\u{a}lines\\u{1b}[31m`'],
    ['turned \u202etxet', '`turned \\u{202e}txet`'],
    ['', '`  `'],
  ])('shows %j as it is, in a code span', (said, span) => {
    expect(code(said)).toBe(span);
  });

  it('lets no text end a cell of a table', () => {
    expect(code('a|b', true)).toBe('`a\\|b`');
  });

  it('fits into a comment, and says so where it is cut', () => {
    const many = Array.from({ length: 3000 }, (_, at) => ({ ...broken, name: `v${at}` }));
    const shown = planMarkdown(reportOf(many));
    expect(shown.length).toBeLessThan(65_536);
    expect(shown).toContain('3000 changes');
    expect(shown).toContain('| and 2900 more |');
    expect(shown).toContain('view `v99`');
    expect(shown).toMatch(/`headrace plan` shows all of it\.$/);
  });
});

describe('colour', () => {
  afterEach(() => vi.unstubAllEnvs());
  const { getColorDepth } = WriteStream.prototype;
  // As much of a terminal as is looked at.
  const stream = (isTTY: boolean) =>
    Object.assign(new PassThrough(), { isTTY, getColorDepth }) as unknown as NodeJS.WriteStream;

  it('is for terminals, unless NO_COLOR is set', () => {
    // All that Node.js goes by, so that the machine of the test does not matter.
    for (const name of ['FORCE_COLOR', 'NO_COLOR', 'NODE_DISABLE_COLORS', 'CI', 'TEAMCITY_VERSION'])
      vi.stubEnv(name, undefined);
    vi.stubEnv('TERM', 'xterm-256color');
    expect(paintOn(stream(true))('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(paintOn(stream(false))('red', 'x')).toBe('x');
    vi.stubEnv('NO_COLOR', '1');
    expect(paintOn(stream(true))('red', 'x')).toBe('x');
  });
});
