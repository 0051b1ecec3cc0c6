// `headrace endpoints shadows`: how shadow versions compare with what was answered, as a running server counts it.

import { askServer, SERVER_NOTES, SERVER_OPTION } from './ask-server.ts';
import { defineCommand } from './command.ts';
import { formatTable } from './table.ts';

interface ShadowAnswer {
  readonly version: number;
  readonly percent: number | null;
  readonly pairs: number;
  readonly errors: number;
  readonly agreement: number | null;
  readonly mean_abs_difference: number | null;
  readonly psi: number | null;
  readonly latency_ms: Readonly<
    Record<'primary' | 'shadow', { readonly p50: number | null; readonly p99: number | null }>
  >;
  readonly dropped: Readonly<Record<string, number>>;
}

export const endpointShadowsCommand = defineCommand({
  usage: 'shadows <name>',
  summary: 'compare shadow versions with what was answered, by one running server since it started',
  example: 'headrace endpoints shadows delay --url http://127.0.0.1:8080',
  columns: {
    PERCENT: 'of the units; none of one that shadows no more',
    PAIRS: 'rows that it answered, too',
    AGREE: 'share of them with the same label, or numbers within 1 %',
    DIFFERENCE: 'of the scores, absolute, on average',
    PSI: 'of its scores against those that were answered',
    'PRIMARY P99': 'of the answered requests, in milliseconds',
    'SHADOW P99': 'of its own runs, in milliseconds',
    DROPPED: 'rows that it did not get, by reason',
  },
  notes: `Each server counts what it answered itself: where there are several, ask each, or add up headrace_shadow_… of their metrics.\n\n${SERVER_NOTES}`,
  options: (command) => command.option(...SERVER_OPTION),
  async run(context, [name = ''], options) {
    const path = `/v1/endpoints/${encodeURIComponent(name)}/shadows`;
    // As the server's own schema has it.
    const answer = (await askServer(context, options, path)) as { readonly shadows: readonly ShadowAnswer[] };
    const rows = answer.shadows.map((shadow) => [
      String(shadow.version),
      shadow.percent === null ? '' : String(shadow.percent),
      String(shadow.pairs),
      String(shadow.errors),
      share(shadow.agreement),
      number(shadow.mean_abs_difference),
      number(shadow.psi),
      number(shadow.latency_ms.primary.p99),
      number(shadow.latency_ms.shadow.p99),
      Object.entries(shadow.dropped)
        .map(([reason, count]) => `${reason} ${count}`)
        .join(', '),
    ]);
    return {
      json: answer,
      text: formatTable(
        [
          [
            'VERSION',
            'PERCENT',
            'PAIRS',
            'ERRORS',
            'AGREE',
            'DIFFERENCE',
            'PSI',
            'PRIMARY P99',
            'SHADOW P99',
            'DROPPED',
          ],
          ...rows,
        ],
        `No version shadows ${name}. \`headrace endpoints traffic ${name} --shadow VERSION:PERCENT\` lets one.`,
      ),
    };
  },
});

const share = (value: number | null): string => (value === null ? '-' : `${(100 * value).toFixed(1)} %`);
const number = (value: number | null): string => (value === null ? '-' : String(Number(value.toPrecision(3))));
