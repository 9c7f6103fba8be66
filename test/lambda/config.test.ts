import { expect, test } from '@jest/globals';
import {
  probeVariables,
  publisherVariables,
  readConfig,
  receiverVariables,
  redriveVariables,
  type Environment,
  type ProbeEnvironment,
  type PublisherEnvironment,
} from '../../lambda/config.ts';

const ENVIRONMENT = {
  SERVICE_NAME: 'TencentChatWebhook',
  SDK_APP_ID: '1400000000',
  TABLE_NAME: 'accounts',
  PARKING_QUEUE_URL: 'https://sqs/parked',
  DEAD_LETTER_QUEUE_URL: 'https://sqs/dead',
  AUTHENTICATION: 'token',
  TOKEN_SECRET_ARN: 'arn:token',
} satisfies Environment;

test('a complete environment gives a configuration', () => {
  expect(readConfig(receiverVariables(), { ...ENVIRONMENT, ALLOWED_CIDRS: '198.51.100.0/24,2001:db8::/32' })).toEqual({
    serviceName: 'TencentChatWebhook',
    sdkAppId: '1400000000',
    tableName: 'accounts',
    parkingQueueUrl: 'https://sqs/parked',
    deadLetterQueueUrl: 'https://sqs/dead',
    allowedCidrs: ['198.51.100.0/24', '2001:db8::/32'],
    tokenSecretArn: 'arn:token',
  });
});

test("authentication is off only if AUTHENTICATION is exactly 'off'", () => {
  expect(readConfig(receiverVariables(), { ...ENVIRONMENT, AUTHENTICATION: 'off' }).tokenSecretArn).toBeUndefined();
  for (const AUTHENTICATION of ['OFF', 'none']) {
    expect(() => readConfig(receiverVariables(), { ...ENVIRONMENT, AUTHENTICATION })).toThrow(
      "AUTHENTICATION is neither 'token' nor 'off'",
    );
  }
  for (const AUTHENTICATION of [undefined, '']) {
    expect(() => readConfig(receiverVariables(), { ...ENVIRONMENT, AUTHENTICATION })).toThrow(
      'AUTHENTICATION is missing',
    );
  }
});

test('one error names all problems', () => {
  expect(() =>
    readConfig(receiverVariables(), { SDK_APP_ID: '', AUTHENTICATION: 'token', ALLOWED_CIDRS: '1.2.3,4.5.6.7' }),
  ).toThrow(
    [
      "the function's environment is wrong; deploy the stack again:",
      '- SERVICE_NAME is missing',
      '- SDK_APP_ID is missing',
      '- TABLE_NAME is missing',
      '- PARKING_QUEUE_URL is missing',
      '- DEAD_LETTER_QUEUE_URL is missing',
      '- ALLOWED_CIDRS: neither an address nor a CIDR range: 1.2.3',
      '- TOKEN_SECRET_ARN is missing',
    ].join('\n'),
  );
});

test('the redrive requires only the variables that it uses', () => {
  expect(readConfig(redriveVariables(), ENVIRONMENT)).toEqual({
    serviceName: 'TencentChatWebhook',
    sdkAppId: '1400000000',
    tableName: 'accounts',
    parkingQueueUrl: 'https://sqs/parked',
  });
  expect(() => readConfig(redriveVariables(), {})).toThrow(
    /- SDK_APP_ID is missing\n- TABLE_NAME .*\n- PARKING_QUEUE_URL .*$/,
  );
});

test('the publisher requires only the variables that it uses', () => {
  const environment = {
    SERVICE_NAME: 'TencentChatWebhook',
    EVENT_BUS_NAME: 'bus',
    UNPUBLISHED_QUEUE_URL: 'https://sqs/unpublished',
  } satisfies PublisherEnvironment;
  expect(readConfig(publisherVariables(), environment)).toEqual({
    serviceName: 'TencentChatWebhook',
    eventBusName: 'bus',
    unpublishedQueueUrl: 'https://sqs/unpublished',
  });
  const problems = /- SERVICE_NAME is missing\n- EVENT_BUS_NAME .*\n- UNPUBLISHED_QUEUE_URL .*$/;
  expect(() => readConfig(publisherVariables(), {})).toThrow(problems);
});

test('the probe requires only the variables that it uses, including a token unless authentication is off', () => {
  const environment = {
    SERVICE_NAME: 'TencentChatWebhook',
    SDK_APP_ID: '1400000000',
    WEBHOOK_URL: 'https://example.com/webhook',
    AUTHENTICATION: 'token',
    TOKEN_SECRET_ARN: 'arn:token',
  } satisfies ProbeEnvironment;
  expect(readConfig(probeVariables(), environment)).toEqual({
    serviceName: 'TencentChatWebhook',
    sdkAppId: '1400000000',
    webhookUrl: 'https://example.com/webhook',
    tokenSecretArn: 'arn:token',
  });
  expect(readConfig(probeVariables(), { ...environment, AUTHENTICATION: 'off' }).tokenSecretArn).toBeUndefined();
  const problems =
    /- SERVICE_NAME is missing\n- SDK_APP_ID .*\n- WEBHOOK_URL .*\n- AUTHENTICATION .*\n- TOKEN_SECRET_ARN .*$/;
  expect(() => readConfig(probeVariables(), {})).toThrow(problems);
});
