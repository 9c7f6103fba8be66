import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen, type Loopback } from '../../../infra/local/aws/loopback.ts';
import { SDK_APP_ID } from '../../delivery.ts';

/** Name and message of an AWS error. */
export interface AwsError {
  status: number;
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
  calls: string[];
}

export const STACK = 'TencentChatWebhook';

const denied = (action: string): AwsError => ({
  status: 403,
  code: 'AccessDenied',
  message:
    `User: arn:aws:iam::111122223333:user/operator is not authorized to perform: ${action} on resource: ` +
    `arn:aws:test because no identity-based policy allows the ${action} action`,
});
export const AWS_ERRORS = {
  denied,
  expired: { status: 403, code: 'ExpiredToken', message: 'The security token included in the request is expired' },
  unknownKey: {
    status: 403,
    code: 'InvalidClientTokenId',
    message: 'The security token included in the request is invalid.',
  },
};

/**
 * Starts a CloudFormation and a Lambda that answer the calls of our commands as documented.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
 */
export async function startFakeAws(): Promise<FakeAws> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const isLambda = request.url?.startsWith('/2015-03-31/') === true;
    const call = isLambda ? 'GetFunctionConfiguration' : (new URLSearchParams(body).get('Action') ?? 'unknown');
    aws.calls.push(call);
    const stackName = new URLSearchParams(body).get('StackName');
    const missing: AwsError | undefined =
      !isLambda && stackName !== STACK
        ? { status: 400, code: 'ValidationError', message: `Stack with id ${stackName} does not exist` }
        : undefined;
    const error = aws.errors[call] ?? missing;
    const answer = (status: number, type: string, content: string, headers = {}) =>
      response.writeHead(status, { 'content-type': type, ...headers }).end(content);
    if (isLambda) {
      if (error !== undefined) {
        const headers = { 'x-amzn-errortype': error.code };
        return answer(error.status, 'application/json', JSON.stringify({ Message: error.message }), headers);
      }
      const configuration = { FunctionName: 'receiver', Environment: { Variables: aws.variables } };
      return answer(200, 'application/json', JSON.stringify(configuration));
    }
    if (error !== undefined) {
      return answer(
        error.status,
        'text/xml',
        `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>Sender</Type><Code>${error.code}</Code>` +
          `<Message>${error.message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
      );
    }
    const outputs = Object.entries(aws.outputs).map(
      ([key, value]) =>
        `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue><Description>x</Description></member>`,
    );
    return answer(
      200,
      'text/xml',
      `<DescribeStacksResponse xmlns="${NAMESPACE}"><DescribeStacksResult><Stacks><member>` +
        `<StackName>${STACK}</StackName><StackId>arn:aws:cloudformation:eu-central-1:111122223333:stack/${STACK}/1</StackId>` +
        `<CreationTime>2026-11-25T12:00:00.000Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>` +
        `<DisableRollback>false</DisableRollback><Outputs>${outputs.join('')}</Outputs></member></Stacks>` +
        `</DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStacksResponse>`,
    );
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
    calls: [],
  };
  return aws;
}

const NAMESPACE = 'http://cloudformation.amazonaws.com/doc/2010-05-15/';

/** Environment of the receiver, without authentication. */
export function receiverVariables(tableName: string): Record<string, string> {
  return {
    SERVICE_NAME: STACK,
    SDK_APP_ID,
    TABLE_NAME: tableName,
    PARKING_QUEUE_URL: 'https://sqs.example/parked',
    DEAD_LETTER_QUEUE_URL: 'https://sqs.example/dead-letters',
  };
}
