// Versions as texts that compare as versions do, as GrowthBook's SDKs make them: numbers padded, a release after its
// pre-releases.

/** Of a number or text, such as `v1.2.3-rc.1+build`; whatever else is version 0. */
export function paddedVersion(input: unknown): string {
  const text = typeof input === 'number' ? String(input) : typeof input === 'string' && input !== '' ? input : '0';
  const parts = text.replaceAll(/(^v|\+.*$)/g, '').split(/[-.]/);
  // The last printable character: 1.0.0 comes after 1.0.0-beta.
  if (parts.length === 3) parts.push('~');
  return parts.map((part) => (/^\d+$/.test(part) ? part.padStart(5, ' ') : part)).join('-');
}
