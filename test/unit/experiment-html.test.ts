// The report as a page: it needs nothing else, says what the figures say, and lets no name become markup.

import { describe, expect, it } from 'vitest';
import type { MetricSpec } from '../../src/definitions/index.ts';
import { type AnalysedExperiment, type ExperimentReport, reportHtml, reportText } from '../../src/rollouts/index.ts';
import {
  EXPERIMENT,
  type LoggedOutcome,
  type LoggedRow,
  onePhase,
  reportOf,
  START,
  useAnalyses,
} from '../support/experiment-rows.ts';

useAnalyses();

const HOUR = 3_600_000_000;
const metric = (name: string, over: Partial<MetricSpec> = {}): MetricSpec => ({
  name,
  parts: [{ values: { kind: 'outcome', endpoint: 'ep' } }],
  direction: 'up',
  worth: 0.1,
  ...over,
});

const output = (name: string) => ({ kind: 'output', endpoint: 'ep', output: name }) as const;
const SCORE = { values: output('score'), aggregate: 'mean' } as const;

const experiment: AnalysedExperiment = {
  name: EXPERIMENT,
  unit: ['uid'],
  control: 'control',
  metrics: {
    goal: [metric('bought')],
    secondary: [
      metric('<b>p90</b>', { parts: [{ values: output('ms') }], quantile: 0.9, direction: 'down' }),
      metric('bought_by_none', { direction: 'none' }),
    ],
    guardrail: [metric('score', { parts: [SCORE], prePeriod: SCORE })],
  },
  plan: { kind: 'split', alpha: 0.05, correction: 'holm' },
  phases: [onePhase()],
};

/** 1,200 units an arm, and of those of the treatment twice as many that buy; by a rule, not by chance. */
function sold(lost = 0): Promise<ExperimentReport> {
  const rows: LoggedRow[] = [];
  const outcomes: LoggedOutcome[] = [];
  for (const arm of ['control', 'treatment']) {
    const units = arm === 'treatment' ? 1200 - lost : 1200;
    for (let i = 0; i < units; i++) {
      const id = `${arm}-${i}`;
      const atMicros = START + (i % 480) * HOUR * 0.5;
      const outputs = { score: ((i * 7919) % 101) / 100, ms: 20 + ((i * 31) % 60) };
      const of = { unit: id, arm, phase: 1, endpoint: 'ep', outputs };
      rows.push({ ...of, id, atMicros, via: 'experiment' });
      rows.push({ ...of, id: `${id}-before`, atMicros: START - HOUR, via: 'base' });
      const value = i % (arm === 'treatment' ? 5 : 10) === 0;
      outcomes.push({ id, value, atMicros: atMicros + 1, recordedMicros: atMicros + 2 });
    }
  }
  return reportOf({ rows, outcomes }, experiment);
}

describe('the page of a report', () => {
  it('is one file that asks nobody for anything, opens and closes what it opens, and lets no name become markup', async () => {
    const page = reportHtml(await sold());
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|src=|href=|@import|url\(|https?:/);
    expect(page.length).toBeLessThan(60_000);
    const open: string[] = [];
    for (const [, slash, name = '', rest = ''] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/g)) {
      if (/^(meta|br)$/.test(name) || rest.endsWith('/')) continue;
      if (slash === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
    expect(page).not.toContain('<b>p90');
    expect(page).toContain('&lt;b&gt;p90&lt;/b&gt;');
  });

  it('has a plot with its words, and a table beside it, for every metric', async () => {
    const page = reportHtml(await sold());
    // Four metrics, units over time, the split.
    expect(page.match(/<svg[^>]+role="img"[^>]+>/g)).toHaveLength(6);
    for (const [plot] of page.matchAll(/<svg[\s\S]+?<\/svg>/g))
      expect(plot).toMatch(/<title id="[^"]+">[^<]+<\/title><desc id="[^"]+">[^<]+/);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(page.match(/<table>/g)?.length).toBeGreaterThanOrEqual(5);
    expect(page.match(/<caption>/g)?.length).toBe(page.match(/<table>/g)?.length);
  });

  it('says first what was found, and calls more of what has no better higher, in no colour of good or bad', async () => {
    const report = await sold();
    expect(report.decision).toMatch(/^treatment is better in bought \(\+100 %, \+\d/);
    const page = reportHtml(report);
    expect(page.indexOf(report.decision)).toBeGreaterThan(0);
    expect(page.indexOf(report.decision)).toBeLessThan(page.indexOf('Goals'));
    const head = expect.stringContaining('exp, phase 1');
    expect(reportText(report)).toMatchObject({ decision: report.decision, head });
    const verdicts = report.metrics.map(({ name, comparisons }) => `${name} ${comparisons[0]?.verdict}`);
    expect(verdicts).toEqual(expect.arrayContaining(['bought better', 'bought_by_none higher']));
    for (const text of ['◂ lower', 'higher ▸', 'class="badge higher"']) expect(page).toContain(text);
    expect(page).toMatch(/bought_by_none by arm: share of units with it\. /);
  });

  it('says before all else that a split is not what was asked for', async () => {
    const report = await sold(200);
    expect(report.srm.is_mismatch).toBe(true);
    expect(report.decision).toMatch(/^Don't decide by this: the arms did not get the units/);
    expect(reportHtml(report)).toContain('class="decision warn"');
  });

  it('closes as many brackets as it opens', async () => {
    for (const lost of [0, 200]) {
      const words = reportHtml(await sold(lost))
        .replaceAll(/<style>[\s\S]*?<\/style>/g, '')
        .replaceAll(/<[^>]+>/g, ' ');
      expect(words).not.toContain('))');
      expect(words.split('(')).toHaveLength(words.split(')').length);
    }
  });

  it.each([
    [40_000, 'Minutes', '1', true],
    [90 * 60_000, 'Minutes', '90', false],
    [5 * 3_600_000, 'Hours', '5.0', false],
    [47 * 3_600_000, 'Hours', '47.0', false],
    [3 * 86_400_000, 'Days', '3.0', false],
    [30 * 86_400_000, 'Days', '30', false],
  ])('says how long %i ms are: %s %s', async (ms, term, value, hasSeconds) => {
    const report = await sold();
    const start = Date.parse(report.started_at);
    const timeline = [0.5, 1].map((part) => ({ at: new Date(start + part * ms).toISOString(), units: [10, 12] }));
    const page = reportHtml({ ...report, ended_at: null, timeline });
    expect(page).toContain(`<dt>${term}</dt><dd>${value}</dd>`);
    const ends = [start, start + ms].map((at) => new Date(at).toISOString().replace('T', ' '));
    for (const end of ends) expect(page).toContain(`>${end.slice(0, hasSeconds ? 19 : 16)}<`);
  });

  it('says that there is nobody yet', async () => {
    const report = await reportOf({ rows: [], outcomes: [] }, experiment);
    expect(report.decision).toBe('Nobody has been seen yet: there is nothing to compare.');
    expect(report.srm).toMatchObject({ p: null, is_mismatch: false });
    expect(reportHtml(report)).toContain('Nobody has been seen yet');
  });
});
