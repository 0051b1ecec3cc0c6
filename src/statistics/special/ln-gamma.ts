// The logarithm of the gamma function: what factorials, beta and Dirichlet densities are computed from.
// Lanczos' approximation (g = 7, nine terms; Godfrey's coefficients), as good as doubles are.

const G = 7;
const COEFFICIENTS = [
  0.9999999999998099, 676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 0.000009984369578019572, 1.5056327351493116e-7,
] as const;
const HALF_LN_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/** Where Stirling's series takes over: five of its terms are then below a double's last place. */
const STIRLING_FROM = 20;

/** ln Γ(x) for x > 0; Infinity at 0. */
export function lnGamma(x: number): number {
  if (x === 0) return Number.POSITIVE_INFINITY;
  if (x >= STIRLING_FROM) return (x - 0.5) * Math.log(x) - x + HALF_LN_TWO_PI + stirlingRest(x);
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const z = x - 1;
  let sum: number = COEFFICIENTS[0];
  for (let i = 1; i < COEFFICIENTS.length; i++) sum += (COEFFICIENTS[i] as number) / (z + i);
  const t = z + G + 0.5;
  return HALF_LN_TWO_PI + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

/** lnΓ(a + b) − lnΓ(a) for a, b > 0: not the difference of two great numbers where a is great. */
export function lnGammaRise(a: number, b: number): number {
  if (a < STIRLING_FROM) return lnGamma(a + b) - lnGamma(a);
  return (a - 0.5) * Math.log1p(b / a) + b * (Math.log(a + b) - 1) + stirlingRest(a + b) - stirlingRest(a);
}

/** x^a e^(−x) / Γ(a), the density that the gamma distribution's tails end in; great a and x near it cancel exactly. */
export function gammaFront(a: number, x: number): number {
  if (a < STIRLING_FROM) return Math.exp(a * Math.log(x) - x - lnGamma(a));
  const off = (x - a) / a;
  return Math.sqrt(a / (2 * Math.PI)) * Math.exp(a * (Math.log1p(off) - off) - stirlingRest(a));
}

/** The sum of the series in 1/x (Abramowitz and Stegun 6.1.41). */
function stirlingRest(x: number): number {
  const inverse = 1 / (x * x);
  return (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x;
}
