// The one way to S3: a client of the SDK, imported when first needed, whose region, endpoint and credentials are the AWS
// environment's own unless it is told otherwise.

import type { S3Client } from '@aws-sdk/client-s3';

export interface S3Options {
  readonly endpoint?: string;
  readonly region?: string;
  /** Bucket in the path instead of the host name; the default wherever it isn't Amazon that answers. */
  readonly pathStyle?: boolean;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** How long a server may say nothing, before its answer or in the middle of it. Default: 30 s. */
  readonly silenceMs?: number;
}

export type S3Sdk = typeof import('@aws-sdk/client-s3');

export interface S3Connection {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  /** Where a request about the bucket goes. Throws what the SDK throws where there is no region. */
  address(bucket: string): Promise<S3Address>;
}

export interface S3Address {
  /** `127.0.0.1:9000`, or `s3.eu-central-1.amazonaws.com`; without the bucket. */
  readonly host: string;
  readonly isSecure: boolean;
  readonly isPathStyle: boolean;
}

const CONNECT_LIMIT_MS = 5_000;
export const SILENCE_LIMIT_MS = 30_000;
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export async function connectS3(options: S3Options, bucket: string): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const open = (isPathStyle: boolean): S3Connection => {
    const client = openClient(sdk, options, isPathStyle);
    return { sdk, client, address: (of) => addressOf(sdk, client, of) };
  };
  const isPathStyle = options.pathStyle ?? options.endpoint !== undefined;
  const connection = open(isPathStyle);
  if (isPathStyle || options.pathStyle !== undefined) return connection;
  // An endpoint may come from the environment, or a file of the SDK's; a request tells. Who cannot make one yet has no
  // region: the first real call says so.
  const address = await connection.address(bucket).catch(() => undefined);
  if (address === undefined || isAmazon(address.host)) return connection;
  connection.client.destroy();
  return open(true);
}

const isAmazon = (host: string): boolean => /\.amazonaws\.com(\.cn)?$/.test(host);

function openClient({ S3Client }: S3Sdk, options: S3Options, forcePathStyle: boolean): S3Client {
  const { endpoint, accessKeyId, secretAccessKey, silenceMs = SILENCE_LIMIT_MS } = options;
  const region = options.region ?? (endpoint === undefined ? undefined : 'us-east-1');
  return new S3Client({
    logger: silent,
    forcePathStyle,
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MS, socketTimeout: silenceMs },
    // Stores that only resemble S3 may not know the newer checksums; blobs carry their own.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  });
}

/** What the SDK makes of a request, taken from it before it is signed or sent. */
interface BuiltRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

class Built extends Error {
  readonly request: BuiltRequest;
  constructor(request: BuiltRequest) {
    super('built');
    this.request = request;
  }
}

async function addressOf({ HeadBucketCommand }: S3Sdk, client: S3Client, bucket: string): Promise<S3Address> {
  const command = new HeadBucketCommand({ Bucket: bucket });
  command.middlewareStack.add(
    () => (args) => {
      // At this step it is a request of HTTP.
      throw new Built(args.request as BuiltRequest);
    },
    { step: 'build', priority: 'low' },
  );
  try {
    await client.send(command);
    throw new Error('the request was sent');
  } catch (thrown) {
    if (!(thrown instanceof Built)) throw thrown;
    const { protocol, hostname, port, path } = thrown.request;
    const isPathStyle = path.split('/')[1] === bucket;
    const name = isPathStyle ? hostname : hostname.slice(bucket.length + 1);
    const host = port === undefined ? name : `${name}:${port}`;
    return { host, isSecure: protocol === 'https:', isPathStyle };
  }
}
