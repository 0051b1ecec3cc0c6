// Numbers over time as a line of blocks, for a terminal.

const BLOCKS = '▁▂▃▄▅▆▇█';

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
  const greatest = Math.max(0, ...shown.map((value) => value ?? 0));
  return shown.map((value) => blockOf(value, greatest)).join('');
}

function blockOf(value: number | null, greatest: number): string {
  if (value === null) return ' ';
  const last = BLOCKS.length - 1;
  return BLOCKS[greatest === 0 ? 0 : Math.ceil((value / greatest) * last)] ?? ' ';
}
