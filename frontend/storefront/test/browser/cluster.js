// A shop of several nodes, on the servers that `scripts/services` runs.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const { DOORBUSTER_TEST_POSTGRES: postgres, DOORBUSTER_TEST_REDIS: redis, DOORBUSTER_TEST_PULSAR: pulsar } = process.env;
/** A node is missed after this time without a word. */
const LEASE = '2s';

/** Whether the servers are there. */
export const hasServers = postgres !== undefined;

const sql = (statement) => execFileSync('psql', ['--no-psqlrc', '--quiet', '--dbname', postgres, '--command', statement]);

/** Settings with a database, keys and topics of its own; `drop` removes the database. */
export function freshCluster() {
  const name = `test_${randomBytes(8).toString('hex')}`;
  sql(`CREATE DATABASE ${name}`);
  const settings = {
    'store.url': postgres.replace(/\/[^/?]*(\?.*)?$/, `/${name}$1`),
    'gate.url': redis,
    'gate.prefix': name,
    'broker.url': pulsar,
    'broker.admin_url': process.env.DOORBUSTER_TEST_PULSAR_ADMIN,
    'broker.tenant': name,
    'broker.partitions': '2',
    'node.name': 'one',
    'node.lease': LEASE,
  };
  return { settings, drop: () => sql(`DROP DATABASE ${name} WITH (FORCE)`) };
}
