import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { SDK_APP_ID } from '../../delivery.ts';

/** Name and message of an AWS error. */
export interface AwsError {
  code: string;
  message: string;
}

export interface FakeAws extends Loopback {
  /** Environment variables for a command. */
  environment: Record<string, string>;
  /** Outputs of the stack. */
  outputs: Record<string, string>;
  /** Environment variables of the receiver. */
  variables: Record<string, string>;
  /** Errors by the name of the call that gets them. */
  errors: Record<string, AwsError>;
}

export const STACK = 'TencentChatWebhook';

export const AWS_ERRORS = {
  denied: (action: string): AwsError => ({
    code: 'AccessDenied',
    message:
      `User: arn:aws:iam::111122223333:user/operator is not authorized to perform: ${action} on resource: ` +
      `arn:aws:test because no identity-based policy allows the ${action} action`,
  }),
  expired: { code: 'ExpiredToken', message: 'The security token included in the request is expired' },
  unknownKey: { code: 'InvalidClientTokenId', message: 'The security token included in the request is invalid.' },
};

/**
 * Starts a CloudFormation and a Lambda that answer the calls of our commands as documented.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
 */
export async function startFakeAws(): Promise<FakeAws> {
  const server = createServer(async (request, response) => {
    if (request.url?.startsWith('/2015-03-31/')) {
      const error = aws.errors['GetFunctionConfiguration'];
      response.setHeader('content-type', 'application/json');
      if (error !== undefined) response.writeHead(403, { 'x-amzn-errortype': error.code });
      return response.end(JSON.stringify({ Message: error?.message, Environment: { Variables: aws.variables } }));
    }
    const name = new URLSearchParams(await text(request)).get('StackName');
    const missing = { code: 'ValidationError', message: `Stack with id ${name} does not exist` };
    const error = aws.errors['DescribeStacks'] ?? (name === STACK ? undefined : missing);
    response.writeHead(error === undefined ? 200 : 403, { 'content-type': 'text/xml' });
    if (error !== undefined) {
      const { code, message } = error;
      return response.end(
        `<ErrorResponse><Error><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
      );
    }
    const outputs = Object.entries(aws.outputs).map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    );
    const stack = `<StackName>${name}</StackName><Outputs>${outputs.join('')}</Outputs>`;
    const result = `<DescribeStacksResult><Stacks><member>${stack}</member></Stacks></DescribeStacksResult>`;
    return response.end(`<DescribeStacksResponse>${result}</DescribeStacksResponse>`);
  });
  const loopback = await listen(server, 0);
  const aws: FakeAws = {
    ...loopback,
    environment: {
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI',
      AWS_ENDPOINT_URL_CLOUDFORMATION: loopback.url,
      AWS_ENDPOINT_URL_LAMBDA: loopback.url,
    },
    outputs: { WebhookUrl: 'https://chat.example.com/webhook', EventBusName: 'bus', ReceiverName: 'receiver' },
    variables: {},
    errors: {},
  };
  return aws;
}

/** Environment of the receiver, without authentication. */
export function receiverVariables(tableName: string): Record<string, string> {
  return {
    SERVICE_NAME: STACK,
    SDK_APP_ID,
    AUTHENTICATION: 'off',
    TABLE_NAME: tableName,
    PARKING_QUEUE_URL: 'https://sqs.example/parked',
    DEAD_LETTER_QUEUE_URL: 'https://sqs.example/dead-letters',
  };
}
