// Which lane leads to a node of the store. While a cluster's nodes are not known yet all goes in one lane together, and
// from there to the nodes' own once they are.

import { HeadraceError } from '../core/index.ts';

const NOT_KNOWN = '';

/** What `find` gives, which throws HR_ONLINE_UNAVAILABLE while the node is not known. */
export function nodeOrUnknown(find: () => string): string {
  try {
    return find();
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_ONLINE_UNAVAILABLE') return NOT_KNOWN;
    throw error;
  }
}
