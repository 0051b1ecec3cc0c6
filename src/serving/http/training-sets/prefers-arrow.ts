// What `Accept` asks for: Parquet, unless an Arrow stream is named and nothing before it.

import { ARROW, PARQUET } from './media-types.ts';

export function prefersArrow(accept: string | undefined): boolean {
  const asked = (accept ?? '').split(',').map((one, at) => {
    const [type = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    return { type, at, weight: weight === undefined ? 1 : Number(weight) };
  });
  const known = asked.filter(({ type, weight }) => weight > 0 && [ARROW, PARQUET].includes(type));
  return known.toSorted((a, b) => b.weight - a.weight || a.at - b.at)[0]?.type === ARROW;
}
