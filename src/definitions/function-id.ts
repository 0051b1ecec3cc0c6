// Ids of the users' functions: what the manifest, the bundles and error messages call each of them.

export function deriveId(source: string, column: string): string {
  return `source/${source}/derive/${column}`;
}

export function transformId(view: string): string {
  return `onDemand/${view}`;
}

export function taskId(pipeline: string, step: string): string {
  return `pipeline/${pipeline}/${step}`;
}

export function nodeId(node: string): string {
  return `node/${node}`;
}

/** A pipeline's task may do as it likes; all other functions are pure. */
export function isTaskId(id: string): boolean {
  return id.startsWith('pipeline/');
}

/** What kind of function an id names. */
export function roleOf(id: string): 'derive' | 'transform' | 'task' {
  return isTaskId(id) ? 'task' : id.startsWith('source/') ? 'derive' : 'transform';
}

/** The function as a sentence calls it. */
export function titleOf(id: string): string {
  const derive = /^source\/([^/]*)\/derive\/(.*)$/s.exec(id);
  if (derive !== null) return `derived column "${derive[2]}" of source "${derive[1]}"`;
  const task = /^pipeline\/([^/]*)\/(.*)$/s.exec(id);
  if (task !== null) return `the task of step "${task[2]}" in pipeline "${task[1]}"`;
  const node = /^node\/(.*)$/s.exec(id);
  if (node !== null) return `the function of node "${node[1]}"`;
  return `the transform of on-demand view "${id.replace(/^onDemand\//, '')}"`;
}
