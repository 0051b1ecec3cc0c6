// The product with one rule of its protocol left out: its own modules, loaded anew with a line of one of them changed.

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

export interface CodeRule {
  /** What it demands. */
  readonly says: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly line: string;
  readonly instead: string;
}

export const CODE_RULES = {
  'refold-unsealed': {
    says: 'on a new connection a writer writes again the parts of cuts in memory',
    file: 'src/ingestion/relink.ts',
    line: '      await parts.write(lost);',
    instead: '',
  },
  'refold-sealed': {
    says: 'and those of sealed cuts that lie past the node’s mark',
    file: 'src/ingestion/relink.ts',
    line: '    await refoldDecided(node);',
    instead: '',
  },
  'settle-void': {
    says: 'a settler voids what does not hold its claim',
    file: 'src/ingestion/settle.ts',
    line: '      if (!holdsClaim(claim, holding)) found.add(claim.offset);',
    instead: '      if (false) found.add(claim.offset);',
  },
  'decide-void': {
    says: 'an entry that does not hold its claim is void',
    file: 'src/ingestion/key-decisions.ts',
    line: '      else own.makeVoid(entry.offset);',
    instead: '',
  },
  'give-up': {
    says: 'an entry whose claim the store cannot keep is void, and its claim is given up',
    file: 'src/ingestion/key-decisions.ts',
    line: '    own.makeVoid(claim.offset);',
    instead: '',
  },
  'give-up-again': {
    says: 'a node that failed over hears of the claims that were given up again',
    file: 'src/ingestion/relink.ts',
    line: '    await context.releaseAgain?.(isClaimAt(node));',
    instead: '',
  },
  'seal-settled': {
    says: 'a cut is sealed when its entries are decided, folded and answered',
    file: 'src/ingestion/cuts.ts',
    line: '    await old.idle();',
    instead: '',
  },
  'answer-last': {
    says: 'a claim is marked done once all of its push can be read',
    file: 'src/ingestion/push-writer.ts',
    line: '    await parts.write(folded?.parts ?? []);',
    instead: '    void parts.write(folded?.parts ?? []);',
  },
  'refold-mark': {
    says: 'a part is written again unless a mark covers its cut',
    file: 'src/online/runs/marks.ts',
    line: '  return !mark?.coverage || !isCovered(mark.coverage, writer, cut);',
    instead: '  return !mark?.coverage;',
  },
} as const satisfies Record<string, CodeRule>;

const ROOT = pathToFileURL(`${resolve(import.meta.dirname, '../../..')}/`).href;
const QUERY = 'without';
/** What is loaded anew: what the rules are in, and what comes to the history by it. The rest is shared. */
const OWN = [
  'src/ingestion/',
  'src/online/',
  'src/offline/materialize/',
  'test/model/real/',
  'test/support/fold-world.ts',
];

let isHooked = false;

/** The module of this path from the project's root, as loaded without the rule. */
export function importWithout<T>(path: string, rule: keyof typeof CODE_RULES): Promise<T> {
  hook();
  // The caller says what the module is.
  return import(`${ROOT}${path}?${QUERY}=${rule}`) as Promise<T>;
}

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const rule = context.parentURL === undefined ? null : new URL(context.parentURL).searchParams.get(QUERY);
      const isOwn = OWN.some((path) => found.url.startsWith(`${ROOT}${path}`));
      return rule === null || !isOwn || found.url.includes('?')
        ? found
        : { ...found, url: `${found.url}?${QUERY}=${rule}` };
    },
    load(url, context, next) {
      const rule = url.startsWith(ROOT) ? new URL(url).searchParams.get(QUERY) : null;
      if (rule === null) return next(url, context);
      const { file, line, instead } = CODE_RULES[rule as keyof typeof CODE_RULES];
      const path = fileURLToPath(url);
      if (!path.endsWith(file)) return next(url, context);
      const text = readFileSync(path, 'utf8');
      if (text.split(line).length !== 2) throw new Error(`${file} does not have this once: ${line}`);
      return { format: 'module-typescript', shortCircuit: true, source: text.replace(line, () => instead) };
    },
  });
}
