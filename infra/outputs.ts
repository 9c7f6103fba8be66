import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { DomainName } from 'aws-cdk-lib/aws-apigatewayv2';
import type { Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IEventBus } from 'aws-cdk-lib/aws-events';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { Queues } from './queues.ts';

/** The parts of a webhook that its outputs name. */
export interface OutputSources extends Construct {
  readonly url: string;
  readonly token: ISecret | undefined;
  readonly table: ITable;
  readonly eventBus: IEventBus;
  readonly receiver: IFunction;
  readonly queues: Queues;
  readonly domain: DomainName | undefined;
  readonly alarmTopic: ITopic;
  readonly dashboard: Dashboard;
}

/**
 * Adds the outputs of a webhook to its stack. The operator commands read them.
 *
 * @param prefix Prefix of the outputs' names.
 */
export function addOutputs(webhook: OutputSources, prefix: string): void {
  const { url, domain, token, receiver, table, eventBus, dashboard, alarmTopic, queues } = webhook;
  const output = (name: string, value: string, description: string) => {
    new CfnOutput(Stack.of(webhook), `${prefix}${name}`, { value, description });
  };
  output('WebhookUrl', url, 'Webhook URL for the Chat console');
  if (domain !== undefined)
    output('DomainTarget', domain.regionalDomainName, 'Target of the CNAME or alias record of the domain');
  if (token !== undefined) output('ShowTokenCommand', showTokenCommand(token), 'Prints the token for the Chat console');
  output('ReceiverName', receiver.functionName, 'The receiver function, whose environment the operator commands read');
  output('TableName', table.tableName, 'The DynamoDB table of the official accounts');
  output('EventBusName', eventBus.eventBusName, 'The event bus with the changes of official accounts, for your rules');
  output('DashboardName', dashboard.dashboardName, 'The dashboard, in the CloudWatch console under Dashboards');
  output('AlarmTopicArn', alarmTopic.topicArn, 'The topic that every alarm notifies');
  output('ParkingQueueUrl', queues.parked.queueUrl, 'Deliveries that wait to be stored');
  output('DeadLetterQueueUrl', queues.deadLetters.queueUrl, 'Deliveries that people must look at: see infra/README.md');
  output('UnpublishedQueueUrl', queues.unpublished.queueUrl, 'Changes that could not be published');
}

function showTokenCommand(token: ISecret): string {
  return `aws secretsmanager get-secret-value --region ${Aws.REGION} --secret-id ${token.secretArn} --query SecretString --output text`;
}
