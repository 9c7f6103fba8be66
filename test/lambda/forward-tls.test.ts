import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createForwarder } from '../../lambda/forward.ts';
import { createCertificate } from '../certificate.ts';
import { deliveryOf, DEPLOYMENT_NAME } from '../forwarded-delivery.ts';
import { until } from '../until.ts';

let directory: string;
let server: Server;
let connections: number;
let port: number;
const trusted = getCACertificates('default');
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'forward-tls-'));
  const { key, cert } = createCertificate(directory, 'localhost');
  setDefaultCACertificates([...trusted, readFileSync(cert, 'utf8')]);
  server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) =>
    response.end('ok'),
  );
  server.on('secureConnection', () => (connections += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
beforeEach(() => {
  connections = 0;
});
afterAll(() => {
  setDefaultCACertificates(trusted);
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

test('the connection that was opened during init serves the first delivery', async () => {
  const { connect, forward } = createForwarder(`https://localhost:${port}/hook`, DEPLOYMENT_NAME);
  await connect();
  await until(() => connections > 0);
  for (let times = 1; times <= 2; times += 1) {
    expect(await forward(deliveryOf({}, 2_000))).toMatchObject({ answer: { statusCode: 200 } });
    await nextTurn(); // Node then keeps the connection for the next request
    expect({ times, connections }).toEqual({ times, connections: 1 });
  }
});

test('a connection that was opened during init and is closed since then does not fail the first delivery', async () => {
  const { connect, forward } = createForwarder(`https://localhost:${port}/hook`, DEPLOYMENT_NAME);
  await connect();
  await until(() => connections > 0);
  server.closeAllConnections();
  expect(await forward(deliveryOf({}, 2_000))).toMatchObject({ answer: { statusCode: 200 } });
  expect(connections).toBe(2);
});

test('a certificate for another name fails the delivery', async () => {
  const { connect, forward } = createForwarder(`https://127.0.0.1:${port}/hook`, DEPLOYMENT_NAME);
  await connect();
  expect(await forward(deliveryOf({}, 2_000))).toMatchObject({
    failure: 'backendFailed',
    errorCode: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
});
