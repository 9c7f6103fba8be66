import { expect, test } from '@jest/globals';
import { startSecretsManager } from '../../../../infra/local/aws/secrets-manager.ts';

test.each([
  ['a body that is not JSON', 'secretsmanager.GetSecretValue', 'x'],
  ['another operation', 'secretsmanager.DeleteSecret', '{}'],
  ['an empty body', '', ''],
])('a request with %s gets a 400, and the service continues', async (_what, target, body) => {
  const service = await startSecretsManager();
  service.put('token', '令牌');
  const ask = async (headers: Record<string, string>, text: string) => {
    const response = await fetch(service.url, { method: 'POST', headers, body: text });
    return { status: response.status, body: await response.json() };
  };
  expect(await ask({ 'x-amz-target': target }, body)).toMatchObject({
    status: 400,
    body: { __type: expect.any(String) },
  });
  const question = JSON.stringify({ SecretId: 'token' });
  expect(await ask({ 'x-amz-target': 'secretsmanager.GetSecretValue' }, question)).toMatchObject({
    status: 200,
    body: { SecretString: '令牌' },
  });
  await service.close();
});
