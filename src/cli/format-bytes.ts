// Sizes for people.

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** In the unit that leaves one to three digits before the point: `4.2 MB`. */
export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  const digits = unit === 0 || size >= 99.5 ? 0 : 1;
  return `${size.toFixed(digits)} ${UNITS[unit]}`;
}
