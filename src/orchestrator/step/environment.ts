// What a step finds in its environment: what any program needs to run here, and what its definition names. Nothing else of
// the driver's comes along: that holds the passwords of the database and the keys of the artifact store.

import type { StepOrder } from './order.ts';

const INHERITED: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'REQUESTS_CA_BUNDLE',
  // Windows starts few programs without these.
  'SYSTEMROOT',
  'TEMP',
  'TMP',
]);

/** Of the driver's variables, those that every step gets. */
export function inheritedVariables(
  variables: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    const upper = name.toUpperCase();
    const isKept = INHERITED.has(upper) || name.startsWith('LC_') || name.startsWith('SSL_CERT_');
    if (isKept && value !== undefined) kept[name] = value;
  }
  return kept;
}

/** The variables of every task of an order: those inherited, its own, its secrets, and what tells it where it is. */
export function stepVariables(
  order: Pick<StepOrder, 'run' | 'step' | 'env' | 'resources'>,
  inherited: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  const { cpu } = order.resources;
  return {
    ...inherited,
    // Numeric libraries take every core otherwise, and steps side by side would fight over them.
    ...(cpu === undefined ? {} : { OMP_NUM_THREADS: String(Math.max(1, Math.floor(cpu))) }),
    ...order.env,
    ...secrets,
    HEADRACE_RUN_ID: order.run,
    HEADRACE_STEP: order.step,
  };
}
