import { json } from 'node:stream/consumers';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as v from 'valibot';
import { readConfig, receiverVariables, type Config } from '../../lambda/config.ts';
import { getHere, LOCAL_PORT } from '../local/chat.ts';
import { Failure, UsageError, wholeNumber } from '../local/command-line.ts';
import { DESCRIPTION, DESCRIPTION_PATH, type Description } from '../local/description.ts';
import { tryTo } from './aws-errors.ts';

/** The options that say which deployment a command works on. */
export const DEPLOYMENT_OPTIONS = {
  stack: { type: 'string' },
  region: { type: 'string' },
  local: { type: 'boolean', default: false },
  port: { type: 'string' },
} as const;

export const DEPLOYMENT_USAGE = `  --stack NAME     the deployed stack, found with the AWS credentials of this shell
  --region REGION  the stack's region (default: as for the AWS CLI: $AWS_REGION, or that of $AWS_PROFILE)
  --local          in place of a stack, what 'npm start' runs on this machine
  --port PORT      where that serves (default: ${LOCAL_PORT})`;

/** What a command must know of the deployment that it works on. */
export interface DeployedStack {
  /** For messages. */
  name: string;
  region: string;
  webhookUrl: string;
  eventBusName: string;
  /** Where the events of the bus are served, on this machine only. */
  eventsUrl: string | undefined;
  /** What the receiver works with. */
  config: Config;
  /** For the constructor of an SDK client. */
  clientSettings(service: Service): ClientSettings;
}

type Service = 'DYNAMODB' | 'SQS' | 'SECRETS_MANAGER' | 'EVENTBRIDGE';

export interface ClientSettings {
  region?: string;
  endpoint?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

/**
 * Finds the deployment that the options name.
 *
 * @throws UsageError, or a Failure where there is none.
 */
export async function findDeployment(options: {
  stack?: string | undefined;
  region?: string | undefined;
  local: boolean;
  port?: string | undefined;
}): Promise<DeployedStack> {
  const { stack, region, local, port } = options;
  if (local === (stack !== undefined)) throw new UsageError('give either --stack NAME or --local');
  if (stack === '' || region === '') throw new UsageError(`--${stack === '' ? 'stack' : 'region'} is empty`);
  if (local && region !== undefined) throw new UsageError('--region is for --stack alone');
  if (!local && port !== undefined) throw new UsageError('--port is for --local alone');
  if (stack === undefined) return localDeployment(wholeNumber('--port', port ?? String(LOCAL_PORT), 1, 65_535));
  return deployedStack(stack, region === undefined ? {} : { region });
}

async function deployedStack(stackName: string, settings: ClientSettings): Promise<DeployedStack> {
  const cloudFormation = new CloudFormationClient(settings);
  const region = await tryTo(`find the stack ${stackName}`, () => cloudFormation.config.region());
  const { Stacks: [stack] = [] } = await tryTo(`find the stack ${stackName}`, async () => {
    try {
      return await cloudFormation.send(new DescribeStacksCommand({ StackName: stackName }));
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== 'ValidationError' || !/does not exist/.test(message)) throw error;
      throw new Failure(`There is no stack ${stackName} in ${region}`);
    }
  });
  const output = (name: string): string => {
    const value = stack?.Outputs?.find(({ OutputKey }) => OutputKey === name)?.OutputValue;
    if (value) return value;
    throw new Failure(`The stack ${stackName} has no output ${name}: it is another one, or must be deployed again`);
  };
  const [webhookUrl, eventBusName, receiverName] = [
    output('WebhookUrl'),
    output('EventBusName'),
    output('ReceiverName'),
  ];
  const { Environment } = await tryTo(`read the environment of the function ${receiverName}`, () =>
    new LambdaClient(settings).send(new GetFunctionConfigurationCommand({ FunctionName: receiverName })),
  );
  return {
    name: `the stack ${stackName}`,
    region,
    webhookUrl,
    eventBusName,
    eventsUrl: undefined,
    config: configOf(Environment?.Variables ?? {}, stackName),
    clientSettings: () => settings,
  };
}

async function localDeployment(port: number): Promise<DeployedStack> {
  const url = `http://127.0.0.1:${port}${DESCRIPTION_PATH}`;
  let description: Description;
  try {
    description = v.parse(DESCRIPTION, await json(await getHere(url))); // another program may have the port
  } catch {
    throw new Failure(`Nothing that 'npm start' runs answers on port ${port}: start it, or give its port with --port`);
  }
  const { webhookUrl, eventsUrl, eventBusName, environment } = description;
  const {
    AWS_REGION: region = '',
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  } = environment;
  return {
    name: 'the deployment on this machine',
    region,
    webhookUrl,
    eventBusName,
    eventsUrl,
    config: configOf(environment, `on port ${port}`),
    clientSettings: (service) => ({
      region,
      endpoint: environment[`AWS_ENDPOINT_URL_${service}`] ?? '',
      credentials: { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '' },
    }),
  };
}

function configOf(environment: Readonly<Record<string, string>>, where: string): Config {
  try {
    return readConfig(receiverVariables(), environment);
  } catch (error) {
    throw new Failure(
      `The receiver of ${where} was deployed from another version of this software: ${(error as Error).message}`,
    );
  }
}
