// Whether what a function gave is plain JSON data: only that comes back as it was.

/** Whatever reads a result goes into it member by member, on a stack. */
const MAX_DEPTH = 1000;

/** What of a value JSON can't hold, or what is too deep to be read again; undefined when it is plain data. */
export function notJson(value: unknown, path: string): string | undefined {
  const fault = faultIn(value, 0);
  return fault?.told(path + fault.path);
}

interface Fault {
  /** Below the value that was asked about. */
  readonly path: string;
  /** The sentence, by where it is. */
  readonly told: (path: string) => string;
}

// A place is named where there is a fault alone: results have millions of members.
function faultIn(value: unknown, depth: number): Fault | undefined {
  if (value === null || value === undefined || ['string', 'boolean', 'bigint'].includes(typeof value)) return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : is(String(value));
  if (typeof value !== 'object') return is(`a ${typeof value}`);
  if (depth === MAX_DEPTH) return { path: '', told: tooDeep };
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const fault = faultIn(value[at], depth + 1);
      if (fault !== undefined) return { ...fault, path: `[${at}]${fault.path}` };
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return is(`a ${value.constructor.name}`);
  for (const [name, member] of Object.entries(value)) {
    const fault = faultIn(member, depth + 1);
    if (fault !== undefined) return { ...fault, path: `.${name}${fault.path}` };
  }
  return undefined;
}

function is(what: string): Fault {
  return { path: '', told: (path) => `${path} is ${what}` };
}

function tooDeep(path: string): string {
  return `it is nested more than ${MAX_DEPTH} deep, or holds itself, at ${path.slice(0, 40)}…`;
}
