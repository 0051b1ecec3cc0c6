// How the quickstart tells of itself: what each step is about to do, the command that does it, how long it took.

const started = performance.now();
let count = 0;

export function say(text = ''): void {
  console.log(text);
}

/** One numbered step; `why` says what is about to happen, the work gives a few words of result. */
export async function step<R>(
  title: string,
  why: string,
  work: () => Promise<{ result: R; summary: string }>,
): Promise<R> {
  count += 1;
  say(`\n${count}. ${title}`);
  say(indent(why));
  const from = performance.now();
  const { result, summary } = await work();
  say(indent(`✓ ${summary}  (${seconds(performance.now() - from)})`));
  return result;
}

export function elapsed(): string {
  return seconds(performance.now() - started);
}

/** Rows as aligned columns; the first is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      indent(
        row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd(),
      ),
    )
    .join('\n');
}

export function whole(number: number): string {
  return number.toLocaleString('en-US');
}

export function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `   ${line}`)
    .join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
