// How figures are shown: a table in the terminal, and the page docs/benchmarks.md.

export interface Figure {
  readonly name: string;
  readonly value: string;
  /** What was measured beside it in the same run. */
  readonly floor?: string;
  readonly ratio?: string;
  readonly mustBe?: string;
  readonly isReached?: boolean;
}

export interface Section {
  readonly title: string;
  readonly about: string;
  readonly figures: readonly Figure[];
}

/** A number without a fraction, its thousands apart. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

export function toText({ title, figures }: Section): string {
  return [
    title,
    ...figures.map(({ name, value, floor, ratio, mustBe, isReached }) => {
      const bound = mustBe === undefined ? '' : `  ${isReached === true ? 'reached' : 'NOT REACHED'} (${mustBe})`;
      return `  ${name}: ${value}${floor === undefined ? '' : `  |  ${floor}`}${ratio === undefined ? '' : `  |  ratio ${ratio}`}${bound}`;
    }),
  ].join('\n');
}

export function toMarkdown(
  sections: readonly Section[],
  run: { readonly machine: string; readonly date: string },
): string {
  const lines = [
    '# Benchmarks',
    '',
    `Written by \`npm run bench\` on ${run.date}: ${run.machine}. Each figure stands beside a floor measured in the same run; the`,
    'ratio is what travels between machines, seconds do not.',
    '',
  ];
  for (const { title, about, figures } of sections) {
    lines.push(
      `## ${title}`,
      '',
      about,
      '',
      '| measured | Headrace | floor | ratio | must be |',
      '|---|---|---|---|---|',
    );
    for (const { name, value, floor = '', ratio = '', mustBe = '', isReached } of figures) {
      const verdict = mustBe === '' ? '' : `${mustBe}: ${isReached === true ? 'reached' : '**not reached**'}`;
      lines.push(`| ${name} | ${value} | ${floor} | ${ratio} | ${verdict} |`);
    }
    lines.push('');
  }
  return lines.join('\n');
}
