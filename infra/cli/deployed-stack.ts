import { CloudFormation } from '@aws-sdk/client-cloudformation';
import { Lambda } from '@aws-sdk/client-lambda';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { readConfig, receiverVariables, type Config } from '../../lambda/config.ts';
import { awsClientSettings } from './aws-client.ts';
import { tryTo } from './aws-errors.ts';
import { createProgram, nonEmpty, wholeNumber } from './command-line.ts';
import { OperationError, UsageError } from './errors.ts';
import { describeLocalDeployment, inspectorPortFor, LOCAL_PORT } from './local-deployment.ts';

/** Creates the program of an operator command, with the options that name the deployment. */
export function createOperatorProgram(script: string, description: string) {
  return createProgram(`npm run ${script} --`, description)
    .option('--stack <name>', 'the deployed stack; uses the AWS credentials of this shell', nonEmpty)
    .option('--region <region>', 'its region (default: $AWS_REGION, or the region of $AWS_PROFILE)', regionName)
    .option('--construct <prefix>', 'if the stack contains several receivers: the prefix of its outputs', nonEmpty)
    .addOption(
      new Option('--local', "the deployment that 'npm start' runs on this machine").conflicts([
        'stack',
        'construct',
        'region',
      ]),
    )
    .addOption(
      new Option('--inspector-port <port>', "with --local: the port of the inspector that 'npm start' prints")
        .argParser(wholeNumber(1, 65_535))
        .default(inspectorPortFor(LOCAL_PORT))
        .conflicts('stack'),
    );
}

function regionName(text: string): string {
  if (/^[a-z]{2,}(-[a-z]+)+-\d+$/.test(text)) return text;
  throw new InvalidArgumentError('It must be an AWS region, for example eu-central-1.');
}

export interface DeploymentOptions {
  stack?: string | undefined;
  construct?: string | undefined;
  region?: string | undefined;
  local?: true | undefined;
  inspectorPort: number;
}

/** A deployment that a command works on. */
export interface DeployedStack {
  /** For messages. */
  name: string;
  region: string;
  webhookUrl: string;
  eventBusName: string;
  /** Where the events of the bus are served. Only on this machine. */
  eventsUrl: string | undefined;
  /** The receiver's configuration. */
  config: Config;
}

/**
 * Finds the deployment that the options name, and sets the environment variables with which the SDK finds its services.
 *
 * @throws UsageError, or OperationError if there is none.
 */
export async function findDeployment(options: DeploymentOptions): Promise<DeployedStack> {
  const { stack, construct, region, local, inspectorPort } = options;
  if (local) return localDeployment(inspectorPort);
  if (stack === undefined) throw new UsageError('give either --stack <name> or --local');
  if (region !== undefined) process.env['AWS_REGION'] = region;
  return deployedStack(stack, construct);
}

async function deployedStack(stackName: string, construct: string | undefined): Promise<DeployedStack> {
  const name = construct === undefined ? `the stack ${stackName}` : `${construct} in the stack ${stackName}`;
  const cloudFormation = new CloudFormation(awsClientSettings());
  const { region, outputs } = await tryTo(`find ${name}`, async () => ({
    region: await cloudFormation.config.region(),
    outputs: await outputsOf(cloudFormation, stackName),
  }));
  const prefix = prefixOf([...outputs.keys()], stackName, construct);
  const output = (key: string): string => {
    const value = outputs.get(prefix + key);
    if (value) return value;
    throw new OperationError(`The stack ${stackName} has no output ${prefix}${key}: it must be deployed again`);
  };
  const [webhookUrl, eventBusName] = [output('WebhookUrl'), output('EventBusName')];
  const FunctionName = output('ReceiverName');
  const { Environment } = await tryTo(`read the environment of the function ${FunctionName}`, () =>
    new Lambda(awsClientSettings()).getFunctionConfiguration({ FunctionName }),
  );
  const config = configOf(Environment?.Variables ?? {}, name);
  return { name, region, webhookUrl, eventBusName, eventsUrl: undefined, config };
}

/** Returns the prefix of the outputs of the only receiver in the stack, or of the one that the user names. */
function prefixOf(outputs: readonly string[], stackName: string, construct: string | undefined): string {
  const prefixes = outputs.flatMap((key) => /^(.*)ReceiverName$/.exec(key)?.[1] ?? []);
  if (prefixes.length === 0) {
    throw new OperationError(
      `The stack ${stackName} has no output ReceiverName: it is another one, or must be deployed again. ` +
        'In an app of your own, call addOutputs() of the construct',
    );
  }
  const [only = ''] = prefixes.length === 1 ? prefixes : [];
  const prefix = construct ?? only;
  if (prefixes.includes(prefix)) return prefix;
  throw new UsageError(`the stack ${stackName} contains ${prefixes.join(', ')}: give one of them with --construct`);
}

async function outputsOf(cloudFormation: CloudFormation, stackName: string): Promise<Map<string, string>> {
  try {
    const { Stacks: [stack] = [] } = await cloudFormation.describeStacks({ StackName: stackName });
    const outputs = stack?.Outputs ?? [];
    return new Map(outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]));
  } catch (error) {
    const { name, message } = error as Error;
    if (name !== 'ValidationError' || !/does not exist/.test(message)) throw error;
    const region = await cloudFormation.config.region();
    throw new OperationError(`There is no stack ${stackName} in ${region}`, { cause: error });
  }
}

async function localDeployment(inspectorPort: number): Promise<DeployedStack> {
  const { environment, ...description } = await describeLocalDeployment(inspectorPort);
  const name = 'the deployment on this machine';
  // Region, credentials and endpoints. A profile would win over the credentials.
  delete process.env['AWS_PROFILE'];
  const settings = Object.entries(environment).filter(([variable]) => variable.startsWith('AWS_'));
  Object.assign(process.env, Object.fromEntries(settings));
  return { ...description, name, region: environment['AWS_REGION'] ?? '', config: configOf(environment, name) };
}

function configOf(environment: Readonly<Record<string, string>>, name: string): Config {
  try {
    return readConfig(receiverVariables(), environment);
  } catch (error) {
    throw new OperationError(
      `${name} was deployed from another version of this software: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
