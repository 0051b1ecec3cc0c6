// The product with one rule of its protocol left out: its own modules, loaded anew with the lines changed that keep the rule.

import { type Edit, importEdited } from '../support/edited-modules.ts';

export interface CodeRule {
  /** What it demands. */
  readonly says: string;
  readonly edits: readonly Edit[];
}

const edit = (file: string, line: string, instead: string): Edit => ({ file: `src/${file}`, line, instead });
const RELINK = 'ingestion/relink.ts';
const SETTLE = 'ingestion/settle.ts';
const CUTS = 'ingestion/cuts.ts';
const OPEN_LOG = 'ingestion/open-log.ts';
const NODES = 'offline/materialize/node-writer.ts';
const PLAN = 'online/runs/plan-run.ts';
const MARKS = 'online/runs/marks.ts';

const RECHECK = edit(NODES, '        await checkMark(store, row, node);', '');

export const CODE_RULES = {
  // Writers.
  'register-first': {
    says: 'a writer registers, then reads versions and boundaries',
    edits: [
      edit(
        OPEN_LOG,
        '  const registry = await deps.runs.registry();\n',
        '  const first = await readPlans();\n  const view = await readCutView(deps.runs, first);\n  const registry = await deps.runs.registry();\n',
      ),
      edit(OPEN_LOG, '    const first = await readPlans();\n', ''),
      edit(OPEN_LOG, '    const view = await readCutView(deps.runs, first);\n', ''),
    ],
  },
  'asked-first': {
    says: 'a cut answers the runs that asked before it read the boundaries',
    edits: [edit(CUTS, 'shipping.ship(old.cut, asked);', 'shipping.ship(old.cut, await unanswered());')],
  },
  'seal-settled': {
    says: 'a cut is sealed when its entries are decided, folded and answered',
    edits: [edit(CUTS, '    await old.idle();', '')],
  },
  'answer-last': {
    says: 'a claim is marked done once all of its push can be read',
    edits: [
      edit(
        'ingestion/push-writer.ts',
        '    await parts.write(folded?.parts ?? []);',
        '    void parts.write(folded?.parts ?? []);',
      ),
    ],
  },
  'B-split': {
    says: 'parts are split at each boundary in force',
    edits: [
      edit(
        'online/runs/boundaries.ts',
        'toSorted((a, b) => (a < b ? -1 : 1));',
        'toSorted((a, b) => a - b).slice(-1);',
      ),
    ],
  },
  'clock-limit': {
    says: 'a push is stamped at most a minute past the clock of the store',
    edits: [edit('ingestion/arrival-clock.ts', 'own - stored > MOST_AHEAD_MICROS ? stored : own;', 'own;')],
  },
  'seen-writer': {
    says: 'the number of a writer is above each that the store has seen',
    edits: [edit(OPEN_LOG, 'deps.log.register(await seenWriter(deps, registry));', 'deps.log.register();')],
  },
  'held-again': {
    says: 'a settled log whose row the registry lost is said to have ended again',
    edits: [edit(SETTLE, '        if (isEnded) await log.finish();\n', '        if (isEnded);\n')],
  },
  // Idempotency-Keys.
  'decide-void': {
    says: 'an entry that does not hold its claim is void',
    edits: [edit('ingestion/key-decisions.ts', '      else own.makeVoid(entry.offset);', '')],
  },
  'give-up': {
    says: 'an entry whose claim the store cannot keep is void, and its claim is given up',
    edits: [edit('ingestion/key-decisions.ts', '    own.makeVoid(claim.offset);', '')],
  },
  'give-up-again': {
    says: 'a node that failed over hears of the claims that were given up again',
    edits: [edit(RELINK, '    await context.releaseAgain?.(isClaimAt(node));', '')],
  },
  'ended-answers': {
    says: 'a repeat of an entry that holds its claim is answered also once its log has ended',
    edits: [edit('ingestion/repeat.ts', "if (holder?.state === 'ended') {", 'if (false) {')],
  },
  'claim-seal': {
    says: 'a claim expires after its cut is sealed, never before',
    edits: [
      edit(
        CUTS,
        '    if (!(await ends) || !(await seals(old))) return false;',
        '    if (!(await ends)) return false;\n    await expireClaims(old);\n    if (!(await seals(old))) return false;',
      ),
    ],
  },
  // Settlers and new connections.
  'settle-void': {
    says: 'a settler voids what does not hold its claim',
    edits: [
      edit(
        SETTLE,
        '      if (!holdsClaim(claim, holding)) found.add(claim.offset);',
        '      if (false) found.add(claim.offset);',
      ),
    ],
  },
  'hold-lock': {
    says: 'a settler holds the log, and writes again, until every mark covers it',
    edits: [
      edit(
        SETTLE,
        '        if (!isCoveredEverywhere(await readMarks(deps.store, runs, current), current, log.writer, last)) return false;\n',
        '',
      ),
    ],
  },
  'hold-settled': {
    says: 'what it settled is written again, too, on a new connection',
    edits: [edit(SETTLE, '  linked = relinks.link;', '')],
  },
  'refold-unsealed': {
    says: 'on a new connection a writer writes again the parts of cuts in memory',
    edits: [edit(RELINK, '      await parts.write(lost);', '')],
  },
  'refold-sealed': {
    says: 'and those of sealed cuts that lie past the node’s mark',
    edits: [edit(RELINK, '    await refoldDecided(node);', '')],
  },
  'refold-mark': {
    says: 'a part is written again unless a mark covers its cut',
    edits: [
      edit(MARKS, '  return !mark?.coverage || !isCovered(mark.coverage, writer, cut);', '  return !mark?.coverage;'),
    ],
  },
  // Runs.
  shipped: {
    says: 'a run covers only shipped cuts',
    edits: [
      edit(PLAN, 'writers.map(({ number, state, shipped }) => {', 'writers.map(({ number, state, cut: shipped }) => {'),
    ],
  },
  'B-answered': {
    says: 'the boundary moves only when every writer has answered',
    edits: [
      edit(
        PLAN,
        '  if (heldBy.length === 0) return { boundary: row.proposed, heldBy };',
        '  return { boundary: row.proposed, heldBy: [] };',
      ),
    ],
  },
  'since-mark': {
    says: 'an incremental run builds on the lowest mark, not on the last row',
    edits: [
      edit(
        PLAN,
        '  const lowest = marks.reduce((least, { run }) => Math.min(least, run ?? 0), Infinity);',
        '  const lowest = Math.max(...others.map(({ number }) => number));',
      ),
      // It looks at the same.
      RECHECK,
    ],
  },
  'recheck-mark': { says: 'and stops where the mark of a node has gone back since', edits: [RECHECK] },
  'moved-B': {
    says: 'and those with facts between the old and the new boundary',
    edits: [edit(PLAN, 'passed: passed.after === passed.upTo ? null : passed,', 'passed: null,')],
  },
  'full-shrunk': {
    says: 'a snapshot that lacks a file of a run since the mark makes the run full',
    edits: [edit(PLAN, '    if (gone !== undefined) return', '    if (false) return')],
  },
  'mark-last': {
    says: 'a node’s mark is written after its bases',
    edits: [edit(NODES, '        live.add(node);', '        await storeRun.mark(node);\n        live.add(node);')],
  },
  'redo-node': {
    says: 'a node whose connection was lost gets all of its keys again',
    edits: [
      edit(
        NODES,
        '  let todo = [...storeRun.nodes];\n',
        '  let todo = [...storeRun.nodes];\n  const given = new Set<string>();\n',
      ),
      edit(
        NODES,
        'await orLost(lost, node, () => storeRun.write(node, own));',
        `{
            const left = own.filter(({ key }) => !given.has(key.toString()));
            for (const { key } of left) given.add(key.toString());
            await orLost(lost, node, () => storeRun.write(node, left));
          }`,
      ),
    ],
  },
  'own-run': {
    says: 'a base is read by the row of the run that wrote it, not by the last finished one',
    edits: [
      edit(
        'online/records/record-directory.ts',
        '    const row = await runs.row(number);\n',
        `    const own = await runs.row(number);
    const last = own && (await (runs as Runs).inForce(own.version)).find(({ state }) => state === 'finished');
    const row = last ?? own;
`,
      ),
    ],
  },
} as const satisfies Record<string, CodeRule>;

/** What is loaded anew: what the rules are in, and what comes to the history by it. */
const OWN = ['src/ingestion/', 'src/online/', 'src/offline/materialize/', 'test/model/', 'test/support/fold-world.ts'];

/** The module of this path from the project's root, as loaded without the rule. */
export function importWithout<T>(path: string, rule: keyof typeof CODE_RULES): Promise<T> {
  return importEdited(path, rule, { edits: CODE_RULES[rule].edits, own: OWN });
}
