// Figures as people read them: a few digits that count, a sign that is one, the same on every machine.

export function percent(share: number): string {
  const value = share * 100;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 1 : 2;
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(digits)} %`;
}

export function signed(value: number): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${show(Math.abs(value))}`;
}

/** Four digits that count. */
export function show(value: number | null): string {
  if (value === null) return '–';
  if (value !== 0 && Math.abs(value) < 0.0001) return value.toExponential(1).replace('-', '−');
  return String(Number(value.toPrecision(4))).replace('-', '−');
}

/** Thousands set apart, the same on every machine. */
export function whole(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ' ');
}
