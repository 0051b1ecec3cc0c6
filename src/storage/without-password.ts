// URLs as errors, plans and logs may show them.

/**
 * The URL with its password, query and fragment hidden. Where a separator stands before the last `@`, no one can tell
 * the password from the rest, and as of a text that is no URL nothing but the scheme is shown.
 */
export function withoutPassword(url: string): string {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(url) ?? [];
  if (scheme === undefined || rest === undefined) return '***';
  const at = rest.lastIndexOf('@');
  const user = rest.slice(0, Math.max(at, 0));
  if (/[/?#\\\s]/.test(user)) return `${scheme}***`;
  const name = user.split(':', 1)[0] ?? '';
  const shownUser = at < 0 ? '' : name === user ? `${name}@` : `${name}:***@`;
  return `${scheme}${shownUser}${rest.slice(at + 1).replace(/([?#]).*$/s, '$1***')}`;
}
