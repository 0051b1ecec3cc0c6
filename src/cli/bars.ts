// Numbers as blocks, for a terminal: counts beside each other, or values over time.

const BLOCKS = '▁▂▃▄▅▆▇█';

/** One bar a count; the greatest is full, where it is `full` at least, and what is there at all shows. */
export function bars(counts: readonly number[], full = 0): string {
  const most = Math.max(full, ...counts);
  return counts.map((count) => (count === 0 ? ' ' : blockOf(count, most, 0))).join('');
}

/**
 * One block a value, from 0 to the greatest; a gap where there is none. Where there are more than `width`, the greatest of each
 * stretch.
 */
export function sparkline(values: readonly (number | null)[], width = 60): string {
  const stretch = Math.max(1, Math.ceil(values.length / width));
  const shown: (number | null)[] = [];
  for (let at = 0; at < values.length; at += stretch) {
    const known = values.slice(at, at + stretch).filter((value) => value !== null);
    shown.push(known.length === 0 ? null : Math.max(...known));
  }
  const most = Math.max(0, ...shown.map((value) => value ?? 0));
  // The lowest block is that of zero alone.
  return shown.map((value) => (value === null ? ' ' : value === 0 ? BLOCKS[0] : blockOf(value, most, 1))).join('');
}

/** Of those from the one at `least` on, each for as much of `most`. */
function blockOf(value: number, most: number, least: number): string {
  const steps = BLOCKS.length - least;
  return BLOCKS[least + Math.min(steps - 1, Math.floor((value / most) * steps))] ?? ' ';
}
