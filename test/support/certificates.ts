// Certificates for servers of the tests' own, signed by themselves.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** `name` tells one from another; `hosts` are those that it is for, as openssl writes them. */
export function makeCertificate(name: string, days = 2, hosts = 'DNS:localhost,IP:127.0.0.1'): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-cert-'));
  try {
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const names = `subjectAltName=${hosts}`;
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const run = spawnSync(
      'openssl',
      [...args, '-days', String(days), '-subj', `/CN=${name}`, '-addext', names, '-keyout', key, '-out', cert],
      { encoding: 'utf8' },
    );
    if (run.status !== 0) throw new Error(`openssl failed: ${run.stderr}`);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
