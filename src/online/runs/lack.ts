// What a store lacks of versions that runs have filled, by its nodes' marks, and how that is said: it is another store than
// the one that was filled (`project`, `online.url`), or it lost what it had.

import type { NodeMark, VersionId } from '../online-store.ts';

export interface Lack {
  /** Nodes without a mark of the version that holds. */
  readonly nodes: readonly string[];
  /** No node has one: nothing that a run filled is there. */
  readonly isAbsent: boolean;
}

/** Where an online store was looked for. */
export interface StorePlace {
  readonly project: string;
  /** As it may be shown: without its password. */
  readonly url: string;
}

/** Of a version that a run has filled; undefined where every node has its mark. */
export function lackOf(marks: readonly NodeMark[]): Lack | undefined {
  const without = marks.filter(({ run }) => run === undefined);
  if (without.length === 0) return undefined;
  // A mark that no longer holds shows still that this is the store which was filled.
  const isAbsent = without.length === marks.length && marks.every(({ lost }) => lost === undefined);
  return { nodes: without.map(({ node }) => node), isAbsent };
}

/** What several versions lack together. */
export function joinLacks(lacks: readonly Lack[]): Lack {
  const nodes = [...new Set(lacks.flatMap((lack) => lack.nodes))];
  return { nodes, isAbsent: lacks.every(({ isAbsent }) => isAbsent) };
}

export interface ToldLack {
  /** What came, and what was expected. */
  readonly says: string;
  /** What to do. */
  readonly fix: string;
}

/** Of one version or several that lack the same. `applied`: the project whose definitions are applied. */
export function tellLack(
  versions: readonly VersionId[],
  { nodes, isAbsent }: Lack,
  { project, url }: StorePlace,
  applied: string,
): ToldLack {
  const [are, them] = versions.length === 1 ? ['is', 'it'] : ['are', 'them'];
  const isMany = versions.length > MOST_NAMED;
  const fill = `\`headrace materialize --incremental${isMany ? '' : ` --views ${versions.join(',')}`}\``;
  const more = isMany ? ` and ${versions.length - MOST_NAMED} more` : '';
  const expected = `${versions.slice(0, MOST_NAMED).join(', ')}${more} ${are} complete by the registry`;
  if (!isAbsent) {
    const [which, has] = nodes.length === 1 ? ['node', 'has'] : ['nodes', 'have'];
    return {
      says: `${expected}, but ${which} ${nodes.join(', ')} of ${url} ${has} no mark of ${them} that holds under project "${project}": they were emptied, given other keys, or lost keys by eviction or by a clock that was ahead. Reads are answered from what is there.`,
      fix: `Fill ${them} with ${fill}.`,
    };
  }
  const hint = applied === project ? '' : ` The definitions that are applied are of project "${applied}".`;
  return {
    says: `${expected}, but no node of ${url} has a mark of ${them} under project "${project}": nothing that a run filled is there.${hint}`,
    fix: `Check \`project\` and \`online.url\`, or fill this store with ${fill}.`,
  };
}

export function describeLack(...given: Parameters<typeof tellLack>): string {
  const { says, fix } = tellLack(...given);
  return `${says} ${fix}`;
}

const MOST_NAMED = 10;
