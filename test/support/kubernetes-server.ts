// A real control plane of Kubernetes on loopback. It has no node: `kubernetes-node.ts` stands in for one.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Certificate, makeCertificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import { type KubernetesUser, openKubernetesClient, USERS } from './kubernetes-client.ts';
import type { KubernetesPrograms } from './kubernetes-programs.ts';

const START_LIMIT_MS = 120_000;
const CONTROLLERS = `job-controller,garbage-collector-controller,namespace-controller,pod-garbage-collector-controller,\
resourcequota-controller,serviceaccount-controller,ttl-after-finished-controller,taint-eviction-controller`;

export type KubernetesServer = Awaited<ReturnType<typeof startKubernetes>>;

/** What the guide grants to whoever drives runs. */
export const DRIVER_RULES = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'list', 'watch', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'delete'] },
  { apiGroups: [''], resources: ['events'], verbs: ['list'] },
  { apiGroups: [''], resources: ['podtemplates'], verbs: ['get'] },
];

export async function startKubernetes({ bin }: KubernetesPrograms) {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-kube-'));
  const running = new Map<string, ChildProcess>();
  const at = (name: string): string => join(folder, name);
  const write = (name: string, text: string): string => {
    writeFileSync(at(name), text, { mode: 0o600 });
    return at(name);
  };
  const [port, etcd, peer, controllerPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const serving = makeCertificate('kube-apiserver');
  const client = makeClientCertificate(folder);
  const accounts = makeCertificate('service-accounts');
  const servingCert = write('serving.pem', serving.cert);
  const servingKey = write('serving.key', serving.key);
  const accountsCert = write('accounts.pem', accounts.cert);
  const accountsKey = write('accounts.key', accounts.key);
  const tokens = write(
    'tokens.csv',
    Object.entries(USERS)
      .map(([user, group]) => `${user}-token,${user},${user}${group === '' ? '' : `,${group}`}\n`)
      .join(''),
  );
  const clientOf = openKubernetesClient({ port, ca: serving.cert, folder });
  let made = 0;

  const start = (name: string, words: string): void => {
    const log = openSync(at(`${name}.log`), 'a');
    const child = spawn(join(bin, name), words.split(/\s+/), { cwd: folder, stdio: ['ignore', log, log] });
    closeSync(log);
    running.set(name, child);
  };
  const end = async (name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    const child = running.get(name);
    running.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };

  const { ask, do: demand } = clientOf;
  const untilReady = async (): Promise<void> => {
    const giveUpAt = performance.now() + START_LIMIT_MS;
    while ((await ask('GET', '/readyz').catch(() => ({ status: 0 }))).status !== 200) {
      const child = running.get('kube-apiserver');
      if (performance.now() > giveUpAt || child === undefined || child.exitCode !== null)
        throw new Error(`kube-apiserver did not start: ${readFileSync(at('kube-apiserver.log'), 'utf8').slice(-2000)}`);
      await sleep(100);
    }
  };
  const startApi = async (): Promise<void> => {
    // Nobody here asks for it as a service; pods run under an account that nobody makes here.
    start(
      'kube-apiserver',
      `--etcd-servers=http://127.0.0.1:${etcd} --bind-address=127.0.0.1 --secure-port=${port}
      --endpoint-reconciler-type=none --disable-admission-plugins=ServiceAccount
      --tls-cert-file=${servingCert} --tls-private-key-file=${servingKey}
      --client-ca-file=${write('clients.pem', client.cert)} --token-auth-file=${tokens} --authorization-mode=RBAC
      --service-cluster-ip-range=10.0.0.0/24 --service-account-issuer=https://kubernetes.test
      --service-account-key-file=${accountsCert} --service-account-signing-key-file=${accountsKey}
      --watch-cache=true --event-ttl=1h`,
    );
    await untilReady();
  };

  const [clients, peers] = [etcd, peer].map((at) => `http://127.0.0.1:${at}`);
  start(
    'etcd',
    `--data-dir=${at('etcd')} --listen-client-urls=${clients} --advertise-client-urls=${clients}
    --listen-peer-urls=${peers} --initial-advertise-peer-urls=${peers} --initial-cluster=default=${peers}
    --unsafe-no-fsync=true --log-level=error`,
  );

  const server = {
    ...clientOf,
    /** What the API server shows, and its key; and one that it takes as the administrator’s. */
    serving,
    client,
    /** A new, empty one, in which the user `driver` may do what the guide grants. */
    async newNamespace(): Promise<string> {
      const name = `ns-${++made}`;
      await demand('POST', '/api/v1/namespaces', { metadata: { name } });
      const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${name}`;
      await demand('POST', `${rbac}/roles`, { metadata: { name: 'headrace' }, rules: DRIVER_RULES });
      const apiGroup = 'rbac.authorization.k8s.io';
      const roleRef = { apiGroup, kind: 'Role', name: 'headrace' };
      const subjects = [{ kind: 'User', name: 'driver', apiGroup }];
      await demand('POST', `${rbac}/rolebindings`, { metadata: { name: 'headrace' }, roleRef, subjects });
      return name;
    },
    /** Writes a kubeconfig and gives its path; `user` is that of the kubeconfig's format. */
    kubeconfig(user: object, toPort = port): string {
      const cluster = {
        server: `https://127.0.0.1:${toPort}`,
        'certificate-authority-data': Buffer.from(serving.cert).toString('base64'),
      };
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        clusters: [{ name: 'test', cluster }],
        users: [{ name: 'test', user }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
      };
      return write(`kubeconfig-${++made}.yaml`, JSON.stringify(config, undefined, 2));
    },
    tokenOf: (user: KubernetesUser) => ({ token: `${user}-token` }),
    /** The API server alone, at once; what etcd has is there after `startApi`. */
    killApi: () => end('kube-apiserver'),
    startApi,
    async stop() {
      clientOf.close();
      for (const name of ['kube-controller-manager', 'kube-apiserver', 'etcd']) await end(name);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await startApi();
    start(
      'kube-controller-manager',
      `--kubeconfig=${server.kubeconfig(server.tokenOf('admin'))} --bind-address=127.0.0.1 --secure-port=${controllerPort}
      --leader-elect=false --controllers=${CONTROLLERS} --kube-api-qps=1000 --kube-api-burst=2000
      --concurrent-job-syncs=10 --resource-quota-sync-period=5s`,
    );
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Of one in the group that may all; signed by itself, so that it is the authority as well. */
function makeClientCertificate(folder: string): Certificate {
  const [cert, key] = [join(folder, 'client.pem'), join(folder, 'client.key')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const run = spawnSync('openssl', [...words, '-subj', '/O=system:masters/CN=admin', '-keyout', key, '-out', cert]);
  if (run.status !== 0) throw new Error(`openssl failed: ${String(run.stderr)}`);
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
