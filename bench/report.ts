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

export interface Run {
  readonly machine: string;
  readonly date: string;
}

const HEAD = `# Benchmarks

Written by \`npm run bench\`. Each figure stands beside a floor measured in the same run; the ratio is what travels between
machines, seconds do not.
`;

/** The page with these sections in the place of theirs; those that it lacks come last. */
export function intoPage(page: string, sections: readonly Section[], run: Run): string {
  const texts = new Map(page.split(/^(?=## )/m).flatMap((text) => titled(text)));
  for (const section of sections) texts.set(section.title, toMarkdown(section, run));
  return [HEAD, ...texts.values()]
    .map((text) => text.trimEnd())
    .join('\n\n')
    .concat('\n');
}

function titled(text: string): [title: string, text: string][] {
  const title = /^## (.+)$/m.exec(text)?.[1];
  return title === undefined ? [] : [[title, text]];
}

function toMarkdown({ title, about, figures }: Section, { machine, date }: Run): string {
  const lines = [
    `## ${title}`,
    '',
    about,
    '',
    '| measured | Headrace | floor | ratio | must be |',
    '|---|---|---|---|---|',
  ];
  for (const { name, value, floor = '', ratio = '', mustBe = '', isReached } of figures) {
    const verdict = mustBe === '' ? '' : `${mustBe}: ${isReached === true ? 'reached' : '**not reached**'}`;
    lines.push(`| ${name} | ${value} | ${floor} | ${ratio} | ${verdict} |`);
  }
  return [...lines, '', `Measured on ${date}: ${machine}.`].join('\n');
}
