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

/** Of the brokers, with what to do; undefined where it is none of these. */
export function tlsTrouble({ code = '', message, host, cert }: TlsError): string | undefined {
  // Node's advice is for who started it by hand.
  const [found = ''] = message.split(';');
  if (UNKNOWN_AUTHORITY.includes(code))
    return `their certificate is of an authority that is not known here (${found}): name the file of the right one's certificate as sslrootcert=FILE in the variable that holds their addresses`;
  if (OUT_OF_TIME.includes(code))
    return `their certificate does not hold now (${found}): renew it, or set this machine's clock`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `their certificate is for ${cert?.subjectaltname ?? 'no host'}, not for ${host}: write a host that it is for in the variable that holds their addresses, and in what the brokers advertise`;
  if (message === 'Broker requires TLS.')
    return 'they speak TLS there: begin the variable that holds their addresses with kafkas://';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return 'they do not speak TLS there: begin the variable that holds their addresses with kafka://, or name the port that does';
  return undefined;
}
