import { request } from 'node:http';
import { Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Deployment } from '../../../infra/local/deployment.ts';
import { httpDelivery } from '../../delivery.ts';
import { startSlowDeployment } from '../../deployment.ts';
import { recordsOf } from '../../records.ts';

let deployment: Deployment;
/** All servers of the deployment. */
const servers: Server[] = [];
beforeAll(async () => {
  const { listen } = Server.prototype;
  Server.prototype.listen = function observed(this: Server, ...args: any[]) {
    servers.push(this);
    return Reflect.apply(listen, this, args);
  };
  try {
    deployment = await startSlowDeployment({ log: new PassThrough().resume() });
  } finally {
    Server.prototype.listen = listen;
  }
});
afterAll(() => deployment?.stop());

const ports = () => servers.map((server) => (server.address() as AddressInfo).port);

type Sent = { method: string; headers: Record<string, string>; path?: string; body?: string };

/** Sends headers without changes. fetch would change them. */
function send(port: number, { body, ...options }: Sent) {
  return new Promise<{ status: number | undefined; corsHeaders: string[] }>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, ...options }, (response) => {
      response.resume();
      const corsHeaders = Object.keys(response.headers).filter((name) => name.startsWith('access-control'));
      resolve({ status: response.statusCode, corsHeaders });
    });
    sent.on('error', reject).end(body);
  });
}

test('every server listens only on this machine', () => {
  expect(servers).toHaveLength(6);
  expect(servers.map((server) => (server.address() as AddressInfo).address)).toEqual(Array(6).fill('127.0.0.1'));
});

describe('a request of a web page', () => {
  const OURS = (port: number) => [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]:1', 'LOCALHOST'];
  const FOREIGN_HOSTS = ['example.com', 'localhost.example.com', 'localhost:1@example.com', 'localhost.'];
  const FOREIGN_ORIGINS = ['https://example.com', 'null', '', 'http://localhost:1', 'https://127.0.0.1', 'file://'];
  const METHODS = ['GET', 'POST', 'OPTIONS'];

  test('with another host name or origin is rejected by every port', async () => {
    for (const port of ports()) {
      const foreign = [
        ...FOREIGN_HOSTS.map((host) => ({ host })),
        ...OURS(port).flatMap((host) => FOREIGN_ORIGINS.map((origin) => ({ host, origin }))),
        { host: 'example.com', origin: 'http://example.com' }, // a name that the page's own name server resolves to this machine
      ];
      for (const headers of foreign) {
        for (const method of METHODS) {
          const answer = await send(port, { method, headers });
          expect({ port, method, headers, ...answer }).toEqual({ port, method, headers, status: 403, corsHeaders: [] });
        }
      }
    }
  });

  test('with a name of this machine is accepted by every port, but the page may not read the answer', async () => {
    for (const port of ports()) {
      for (const headers of OURS(port).flatMap((host) => [{ host }, { host, origin: `http://${host}` }])) {
        for (const method of METHODS) {
          const { status, corsHeaders } = await send(port, { method, headers });
          expect({ port, method, headers, status }).not.toMatchObject({ status: 403 });
          expect(corsHeaders).toEqual([]);
        }
      }
    }
  });

  test('stores nothing, although it has the delivery’s Sign', async () => {
    const { dynamoDb, spec, url } = deployment;
    const { query, payload } = httpDelivery();
    const delivery = { method: 'POST', path: `/webhook?${query}`, body: JSON.stringify(payload) };
    const { port } = new URL(url);
    expect((await send(Number(port), { ...delivery, headers: { origin: 'https://example.com' } })).status).toBe(403);
    expect(await recordsOf(dynamoDb.url, spec.tableName)).toEqual([]);
    expect((await send(Number(port), { ...delivery, headers: {} })).status).toBe(200);
    expect(await recordsOf(dynamoDb.url, spec.tableName)).toHaveLength(1);
  });
});
