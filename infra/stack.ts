import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { TencentChatWebhook, type TencentChatWebhookProps } from './webhook.ts';

/** Returns the name of the stack, with the stage as its suffix. */
export function stackName(stage: string | undefined): string {
  return stage === undefined ? 'TencentChatWebhook' : `TencentChatWebhook-${stage}`;
}

/** Stack that contains the construct and nothing else, with outputs. */
export class WebhookStack extends Stack {
  constructor(scope: Construct, id: string, props: TencentChatWebhookProps) {
    super(scope, id, { description: "Receives Tencent Cloud Chat's official-account webhooks" });
    // The ID 'Default' is not part of logical IDs, so the resources of deployed stacks keep their IDs.
    const { url, domain, token, receiver, table, eventBus, dashboard, alarmTopic, queues } = new TencentChatWebhook(
      this,
      'Default',
      props,
    );

    this.output('WebhookUrl', url, 'Webhook URL for the Chat console');
    if (domain !== undefined)
      this.output('DomainTarget', domain.regionalDomainName, 'Target of the CNAME or alias record of the domain');
    if (token !== undefined)
      this.output('ShowTokenCommand', showTokenCommand(token), 'Prints the token for the Chat console');
    this.output(
      'ReceiverName',
      receiver.functionName,
      'The receiver function, whose environment the operator commands read',
    );
    this.output('TableName', table.tableName, 'The DynamoDB table of the official accounts');
    this.output(
      'EventBusName',
      eventBus.eventBusName,
      'The event bus with the changes of official accounts, for your rules',
    );
    this.output('DashboardName', dashboard.dashboardName, 'The dashboard, in the CloudWatch console under Dashboards');
    this.output('AlarmTopicArn', alarmTopic.topicArn, 'The topic that every alarm notifies');
    this.output('ParkingQueueUrl', queues.parked.queueUrl, 'Deliveries that wait to be stored');
    this.output(
      'DeadLetterQueueUrl',
      queues.deadLetters.queueUrl,
      'Deliveries that people must look at: see infra/README.md',
    );
    this.output('UnpublishedQueueUrl', queues.unpublished.queueUrl, 'Changes that could not be published');
  }

  private output(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { value, description });
  }
}

function showTokenCommand(token: ISecret): string {
  return `aws secretsmanager get-secret-value --region ${Aws.REGION} --secret-id ${token.secretArn} --query SecretString --output text`;
}
