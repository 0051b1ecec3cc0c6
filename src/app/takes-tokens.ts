// Whether a server takes JSON Web Tokens, by its settings alone.

import type { SettingValues } from './settings.ts';

/** Whether the server takes tokens. */
export function takesTokens(values: SettingValues): boolean {
  return JWT_SETTINGS.some((key) => values[key] !== undefined);
}

const JWT_SETTINGS = [
  'server.jwt.algorithms',
  'server.jwt.issuer',
  'server.jwt.audience',
  'server.jwt.key',
  'server.jwt.secretEnv',
] as const;
