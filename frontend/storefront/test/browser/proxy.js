// A proxy with TLS in front of the server, as deploy/README.md wants one: plain HTTP is sent on to https, sockets go through, and the
// client's address is appended to what the client says of it.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlain, request } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A key and a certificate that nobody has signed but itself. */
function certificate(name) {
  const folder = mkdtempSync(join(tmpdir(), 'doorbuster-proxy-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...made, ...subject], { stdio: 'ignore' });
  const pair = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true, force: true });
  return pair;
}

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** `name`: the host that browsers know it by; `client`: the address that all of them seem to come from. */
export async function startProxy({ name, client }) {
  let back;
  const sockets = new Set();
  const headersOf = ({ headers }) => {
    const said = headers['x-forwarded-for'];
    return { ...headers, 'x-forwarded-for': said ? `${said}, ${client}` : client, 'x-forwarded-proto': 'https' };
  };
  const target = (incoming) => ({ host: back.hostname, port: back.port, method: incoming.method, path: incoming.url, headers: headersOf(incoming) });

  const secure = createSecure(certificate(name), (incoming, outgoing) => {
    const asked = request(target(incoming), (answer) => {
      outgoing.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    // A server that is away is the proxy's to tell.
    asked.on('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
    incoming.pipe(asked);
  });
  secure.on('upgrade', (incoming, socket, head) => {
    const tunnel = connect(Number(back.port), back.hostname, () => {
      const lines = Object.entries(headersOf(incoming)).map(([header, value]) => `${header}: ${value}`);
      tunnel.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      tunnel.write(head);
      socket.pipe(tunnel).pipe(socket);
    });
    sockets.add(tunnel);
    for (const [one, other] of [[socket, tunnel], [tunnel, socket]]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  const port = await listen(secure);
  const base = `https://${name}:${port}`;
  const plain = createPlain(({ url }, outgoing) => outgoing.writeHead(308, { location: `${base}${url}` }).end());
  const plainPort = await listen(plain);
  return {
    base,
    plain: `http://${name}:${plainPort}`,
    /** Where it leads. */
    leadTo: (address) => (back = new URL(address)),
    /** Sockets that went through it. */
    sockets: () => sockets.size,
    close() {
      for (const server of [secure, plain]) {
        server.close();
        server.closeAllConnections();
      }
      for (const socket of sockets) socket.destroy();
    },
  };
}
