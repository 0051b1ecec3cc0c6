// What is measured has to be real: an answer that lacks its values is quicker than one that has them.

export type Values = Readonly<Record<string, unknown>>;

/** The answer of a request that must be answered with 200. */
export async function ask(url: string, body: string): Promise<string> {
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return text;
}

/** Throws where a value is missing, or is not what a plain computation gives. Numbers may differ in their last digits. */
export function checkValues(what: string, found: Values, expected: Values): void {
  for (const name of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const [is, must] = [found[name], expected[name]];
    if (is === undefined || is === null || !isNear(is, must))
      throw new Error(`${what}: ${name} is ${JSON.stringify(is)}, and must be ${JSON.stringify(must)}`);
  }
}

const MOST_DIFFERENCE = 1e-6;

function isNear(is: unknown, must: unknown): boolean {
  if (typeof is !== 'number' || typeof must !== 'number') return is === must;
  return Math.abs(is - must) <= MOST_DIFFERENCE * Math.max(1, Math.abs(must));
}
