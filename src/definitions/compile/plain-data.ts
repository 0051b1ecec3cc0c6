// Plain JSON data, as a step's arguments and items must be.

const MOST_DEPTH = 50;

export function isPlain(value: unknown): boolean {
  return isPlainTo(MOST_DEPTH, value);
}

// What holds itself is no JSON either.
function isPlainTo(depth: number, value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (depth === 0 || typeof value !== 'object') return false;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every((item) => isPlainTo(depth - 1, item));
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
