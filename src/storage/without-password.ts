// URLs as errors and logs may show them.

/** The URL with its password and query values hidden; what doesn't parse as a URL shows its scheme alone. */
export function withoutPassword(url: string): string {
  try {
    const shown = new URL(url);
    if (shown.password !== '') shown.password = '***';
    if (shown.search !== '') shown.search = '?***';
    return shown.toString();
  } catch {
    return `${/^[a-z0-9+.-]*:/i.exec(url)?.[0] ?? ''}***`;
  }
}
