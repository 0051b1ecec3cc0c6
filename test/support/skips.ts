// Tests that can't run here say so: on the console, and in the file that the test runner's last lines are made from.

import { appendFileSync } from 'node:fs';

export function skipBecause(what: string): void {
  console.warn(`SKIPPED: ${what}`);
  const file = process.env['HEADRACE_SKIPS_FILE'];
  if (file !== undefined) appendFileSync(file, `${what}\n`);
}
