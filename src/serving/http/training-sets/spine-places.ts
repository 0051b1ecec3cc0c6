// Where in S3 a spine may lie that a request names: the server reads it with its own rights, which go further than those of
// whoever asks.

import { HeadraceError } from '../../../core/index.ts';
import { quoted } from '../request-context.ts';

/** `s3://bucket` or `s3://bucket/folder`, with commas between; each ends with a slash then. Throws HR_CONFIG. */
export function parseSpinePlaces(text: string): readonly string[] {
  const places = text.split(',').map((place) => place.trim());
  return places
    .filter((place) => place !== '')
    .map((place) => {
      if (/^s3:\/\/[^/?#@:*\s]+(\/[^?#*[\]{}\s]*)?$/.test(place)) return place.replace(/\/*$/, '/');
      throw new HeadraceError(
        'HR_CONFIG',
        `server.spinePlaces names "${place}"; a place is s3://BUCKET or s3://BUCKET/FOLDER, without patterns.`,
      );
    });
}

/** Throws HR_FORBIDDEN for an address that lies in none of the places. */
export function checkPlace(address: string, places: readonly string[]): void {
  // A server of S3 that keeps its objects as files may go up by such names.
  const climbs = address.split('/').some((part) => part === '..' || part === '.');
  if (!climbs && places.some((place) => address.startsWith(place))) return;
  const where = places.length === 0 ? 'none' : places.join(', ');
  throw new HeadraceError(
    'HR_FORBIDDEN',
    `${quoted(address)} lies in no place that this server takes spines from (server.spinePlaces: ${where}). Send the spine itself, or have its place added there.`,
  );
}
