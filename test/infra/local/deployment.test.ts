import { request } from 'node:http';
import { Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { dynamoDbClient } from '../../../infra/local/aws/dynamodb.ts';
import type { Deployment } from '../../../infra/local/deployment.ts';
import { httpDelivery, TOKEN } from '../../delivery.ts';
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
    const log = new PassThrough().resume();
    deployment = await startSlowDeployment({ log });
  } finally {
    Server.prototype.listen = listen;
  }
});
afterAll(() => deployment?.stop());

const ports = () => servers.map((server) => (server.address() as AddressInfo).port);

/** Sends headers without changes. fetch would change them. */
function send(port: number, method: string, path: string, headers: Record<string, string>, body = '') {
  return new Promise<{ status: number | undefined; headers: string[]; body: string }>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      // The stream of events never ends.
      const isStream = response.headers['content-type'] === 'text/event-stream';
      const received = isStream ? (response.destroy(), Promise.resolve('')) : text(response);
      received.then(
        (content) => resolve({ status: response.statusCode, headers: Object.keys(response.headers), body: content }),
        reject,
      );
    });
    sent.on('error', reject).end(body);
  });
}

test('every server listens only on this machine', () => {
  expect(servers).toHaveLength(6);
  expect(servers.map((server) => (server.address() as AddressInfo).address)).toEqual(Array(6).fill('127.0.0.1'));
});

describe('a request of a web page', () => {
  const OURS = (port: number) => [`127.0.0.1:${port}`, `localhost:${port}`, '[::1]:1', 'LOCALHOST', '127.0.0.1'];
  const FOREIGN_HOSTS = [
    'example.com',
    'localhost.example.com',
    '127.0.0.1.example.com',
    'localhost:1@example.com',
    'localhost.',
  ];
  const FOREIGN_ORIGINS = ['https://example.com', 'null', '', 'http://localhost:1', 'https://127.0.0.1', 'file://'];
  const METHODS = ['GET', 'POST', 'OPTIONS', 'PUT', 'HEAD'];
  const PATHS = ['/', '/webhook', '/events', '/deployment', '/deliveries', '/state'];

  test('with another host name or origin is rejected by every port', async () => {
    for (const port of ports()) {
      const foreign = [
        ...FOREIGN_HOSTS.map((host) => ({ host })),
        ...OURS(port).flatMap((host) => FOREIGN_ORIGINS.map((origin) => ({ host, origin }))),
        { host: 'example.com', origin: 'http://example.com' }, // a name that the page's own name server resolves to this machine
      ];
      for (const headers of foreign) {
        for (const method of METHODS) {
          for (const path of PATHS) {
            const { status, headers: names } = await send(port, method, path, headers);
            expect({ port, method, path, headers, status }).toEqual({ port, method, path, headers, status: 403 });
            expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
          }
        }
      }
    }
  });

  test('with a name of this machine is accepted by every port, but the page may not read the answer', async () => {
    for (const port of ports()) {
      for (const host of OURS(port)) {
        for (const headers of [{ host }, { host, origin: `http://${host}` }]) {
          for (const method of METHODS) {
            for (const path of PATHS) {
              const { status, headers: names } = await send(port, method, path, headers);
              expect({ port, method, path, headers, status }).not.toMatchObject({ status: 403 });
              expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
            }
          }
        }
      }
    }
  });

  test('deletes no table, reads no token and stores nothing', async () => {
    const port = (url: string) => Number(new URL(url).port);
    const page = (url: string) => ({ host: new URL(url).host, origin: 'https://example.com' });
    const { dynamoDb, secretsManager, spec, url } = deployment;

    const target = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-date': 'x' };
    const deletion = { ...target, 'x-amz-target': 'DynamoDB_20120810.DeleteTable' };
    const authorization = 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=x, SignedHeaders=host';
    const table = JSON.stringify({ TableName: spec.tableName });
    await send(port(dynamoDb.url), 'POST', '/', { ...page(dynamoDb.url), ...deletion, authorization }, table);
    const client = dynamoDbClient(dynamoDb.url);
    expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([spec.tableName]);
    client.destroy();

    const reading = { 'x-amz-target': 'secretsmanager.GetSecretValue' };
    const secret = JSON.stringify({ SecretId: spec.secretIds[0] });
    const own = await send(port(secretsManager.url), 'POST', '/', reading, secret);
    expect(own.body).toContain(TOKEN);
    for (const headers of [page(secretsManager.url), { host: 'example.com' }]) {
      const answer = await send(port(secretsManager.url), 'POST', '/', { ...headers, ...reading }, secret);
      expect(answer.body).not.toContain(TOKEN);
    }

    const { query, payload } = httpDelivery();
    const path = `/webhook?${query}`;
    expect((await send(port(url), 'POST', path, page(url), JSON.stringify(payload))).status).toBe(403);
    expect(await recordsOf(dynamoDb.url, spec.tableName)).toEqual([]);
    expect((await send(port(url), 'POST', path, {}, JSON.stringify(payload))).status).toBe(200);
    expect(await recordsOf(dynamoDb.url, spec.tableName)).toHaveLength(1);
  });
});
