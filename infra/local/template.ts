import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CreateTableInput } from '@aws-sdk/client-dynamodb';
import type { Environment } from '../../lambda/config.ts';
import { OperationError } from '../cli/errors.ts';
import type { Route } from './aws/gateway.ts';
import type { FunctionSpec } from './aws/function.ts';
import type { QueueSpec } from './aws/sqs.ts';
import type { StreamMappingSpec } from './aws/stream-mapping.ts';

/** The parts of the synthesized template that the local deployment needs. */
export interface DeploymentSpec {
  route: Route;
  /** The function that the route invokes. */
  receiver: FunctionSpec;
  receiverMemoryMb: number;
  tables: CreateTableInput[];
  /** The table that the receiver writes to. */
  tableName: string;
  queues: QueueSpec[];
  /** Functions that process the messages of a queue. */
  consumers: { queueName: string; batchSize: number; consumer: FunctionSpec }[];
  /** Functions that process the records of a table's stream. */
  streamMappings: StreamMappingSpec[];
  eventBusNames: string[];
  secretIds: string[];
  /** Removes the bundles from the disk if they were built only for this deployment. */
  dispose(): void;
}

interface Template {
  Resources: Record<string, Resource>;
}
interface Resource {
  Type: string;
  // CDK has checked the properties against CloudFormation's schemas.
  Properties: Record<string, any>;
  Metadata?: Record<string, string>;
}

/**
 * Reads the deployment from a cloud assembly, which `cdk synth` writes to `cdk.out`. The logical ID of a resource is
 * used as its name.
 *
 * @throws OperationError if the directory does not contain an assembly with one stack.
 */
export function readAssembly(directory: string, dispose = () => {}): DeploymentSpec {
  const [file, ...others] = templatesIn(directory);
  if (file === undefined || others.length > 0) {
    throw new OperationError(
      `${directory} must contain one *.template.json of cdk synth, but contains ${others.length + (file ? 1 : 0)}`,
    );
  }
  return { ...read(readJson(join(directory, file)) as Template, directory), dispose };
}

function templatesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.template.json'));
  } catch (error) {
    throw new OperationError(`${directory} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws OperationError if the file does not contain a JSON object. */
export function readJson(file: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) throw new Error('it does not contain a JSON object');
    return value;
  } catch (error) {
    throw new OperationError(`${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

function read(template: Template, outdir: string): Omit<DeploymentSpec, 'dispose'> {
  const ofType = (type: string) => Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
  const resource = (logicalId: string) => {
    const found = template.Resources[logicalId];
    if (found === undefined) throw new Error(`the template has no resource ${logicalId}`);
    return found;
  };

  const [[, route] = ['', undefined], ...otherRoutes] = ofType('AWS::ApiGatewayV2::Route');
  if (route === undefined || otherRoutes.length > 0) throw new Error('the template must have one route');
  const [method = '', path = ''] = String(route.Properties['RouteKey']).split(' ');
  const integration = resource(resolve(route.Properties['Target']).replace('integrations/', ''));
  const invoked = resource(resolve(integration.Properties['IntegrationUri']));
  const isAlias = invoked.Type === 'AWS::Lambda::Alias';
  const receiver = isAlias ? resource(resolve(invoked.Properties['FunctionName'])) : invoked;

  const functionSpec = ({ Properties, Metadata }: Resource): FunctionSpec => {
    const [fileStem, handlerName = ''] = String(Properties['Handler']).split('.');
    const assetPath = Metadata?.['aws:asset:path'];
    if (assetPath === undefined) {
      throw new OperationError(
        `${outdir} does not contain the paths of the functions' bundles: synthesize it with asset metadata`,
      );
    }
    return {
      file: join(outdir, assetPath, `${fileStem}.mjs`),
      handlerName,
      timeoutMs: Properties['Timeout'] * 1000,
      environment: Object.fromEntries(
        Object.entries(Properties['Environment']?.Variables ?? {}).map(([name, value]) => [name, resolve(value)]),
      ),
    };
  };
  const receiverSpec = functionSpec(receiver);
  const mappingsFrom = (type: string) =>
    ofType('AWS::Lambda::EventSourceMapping')
      .map(([, { Properties }]) => Properties)
      .filter(({ EventSourceArn }) => resource(resolve(EventSourceArn)).Type === type);

  return {
    route: { method, path },
    receiver: receiverSpec,
    receiverMemoryMb: receiver.Properties['MemorySize'],
    tables: ofType('AWS::DynamoDB::GlobalTable').map(([logicalId, { Properties }]) => ({
      TableName: logicalId,
      AttributeDefinitions: Properties['AttributeDefinitions'],
      KeySchema: Properties['KeySchema'],
      BillingMode: Properties['BillingMode'],
    })),
    tableName: receiverSpec.environment['TABLE_NAME' satisfies keyof Environment] ?? '',
    queues: ofType('AWS::SQS::Queue').map(([logicalId, { Properties }]) => ({
      name: logicalId,
      visibilitySeconds: Properties['VisibilityTimeout'] ?? 30,
      ...(Properties['RedrivePolicy'] !== undefined && {
        deadLetters: {
          queueName: resolve(Properties['RedrivePolicy'].deadLetterTargetArn),
          maxReceiveCount: Properties['RedrivePolicy'].maxReceiveCount,
        },
      }),
    })),
    consumers: mappingsFrom('AWS::SQS::Queue').map((Properties) => ({
      queueName: resolve(Properties['EventSourceArn']),
      batchSize: Properties['BatchSize'],
      consumer: functionSpec(resource(resolve(Properties['FunctionName']))),
    })),
    streamMappings: mappingsFrom('AWS::DynamoDB::GlobalTable').map((Properties) => ({
      tableName: resolve(Properties['EventSourceArn']),
      patterns: Properties['FilterCriteria'].Filters.map(({ Pattern }: { Pattern: string }) => JSON.parse(Pattern)),
      batchSize: Properties['BatchSize'],
      reportBatchItemFailures: Properties['FunctionResponseTypes']?.includes('ReportBatchItemFailures') === true,
      consumer: functionSpec(resource(resolve(Properties['FunctionName']))),
    })),
    eventBusNames: ofType('AWS::Events::EventBus').map(([logicalId]) => logicalId),
    secretIds: ofType('AWS::SecretsManager::Secret').map(([logicalId]) => logicalId),
  };
}

/** Resolves the intrinsic functions of the template. A reference to a resource or its ARN becomes the logical ID. */
function resolve(value: unknown): string {
  if (typeof value === 'string') return value;
  const [[name, argument] = []] = Object.entries(value as Record<string, any>);
  if (name === 'Ref') return argument;
  if (name === 'Fn::GetAtt') return argument[0];
  if (name === 'Fn::Join') return argument[1].map(resolve).join(argument[0]);
  throw new Error(`the template uses ${name}, which the local deployment can't resolve`);
}
