// What goes wrong in TLS before a broker says anything: its certificate, or that one side speaks TLS and the other does not.
// Only a person can mend it, so nobody tries again.

/** As Node names what it finds in a certificate. */
const UNKNOWN_AUTHORITY = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
const OUT_OF_TIME = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

interface TlsError extends Error {
  readonly code?: string;
  /** With ERR_TLS_CERT_ALTNAME_INVALID. */
  readonly host?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

/** A sentence with what to do; undefined where it is none of these. */
export function tlsTrouble({ code = '', message, host, cert }: TlsError, at: string): string | undefined {
  const shown = `the certificate of the brokers at ${at}`;
  // Node's advice is for who started it by hand.
  const [found = ''] = message.split(';');
  if (UNKNOWN_AUTHORITY.includes(code))
    return `${shown} is of an authority that is not known here (${found}): name the file of the right one's certificate as sslrootcert=FILE in the source's variable`;
  if (OUT_OF_TIME.includes(code)) return `${shown} does not hold now (${found}): renew it, or set this machine's clock`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `${shown} is for ${cert?.subjectaltname ?? 'no host'}, not for ${host}: write a host that it is for in the source's variable, and in what the brokers advertise`;
  if (message === 'Broker requires TLS.')
    return `the brokers at ${at} speak TLS there: begin the source's variable with kafkas://`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return `the brokers at ${at} do not speak TLS there: begin the source's variable with kafka://, or name the port that does`;
  return undefined;
}
