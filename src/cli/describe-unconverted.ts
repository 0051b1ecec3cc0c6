// The line that tells of pushed values which their column's type of now cannot say.

/** A line for each column, each begun by a line's end; nothing where there are none. */
export function describeUnconverted(of: string, unconverted: Readonly<Record<string, number>> = {}): string {
  return Object.entries(unconverted)
    .map(([column, values]) => `\n${of}: ${nullValues(values, column)} cannot be said in the type that it has now.`)
    .join('');
}

function nullValues(values: number, column: string): string {
  return values === 1
    ? `1 pushed value of "${column}" is null, as it`
    : `${values} pushed values of "${column}" are null, as they`;
}
