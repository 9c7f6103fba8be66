import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { TencentChatWebhook, type TencentChatWebhookProps } from './webhook.ts';

/** The receiver as a stack of its own, with outputs. */
export class WebhookStack extends Stack {
  constructor(scope: Construct, id: string, props: TencentChatWebhookProps) {
    super(scope, id, { description: "Receives Tencent Cloud Chat's official-account webhooks" });
    // An ID that adds nothing to logical IDs: the resources of stacks that were deployed before keep theirs.
    const { url, domain, token, receiver, table, eventBus, dashboard, alarmTopic, queues } = new TencentChatWebhook(
      this,
      'Default',
      props,
    );

    this.output('WebhookUrl', url, "Paste it into the Chat console as the webhook's URL");
    if (domain !== undefined)
      this.output('DomainTarget', domain.regionalDomainName, 'Point a CNAME or alias record of the domain to it');
    if (token !== undefined)
      this.output('ShowTokenCommand', showTokenCommand(token), 'Prints the token for the Chat console');
    this.output('ReceiverName', receiver.functionName, 'The function: commands for operators read its environment');
    this.output('TableName', table.tableName, "The DynamoDB table with the official accounts' records");
    this.output(
      'EventBusName',
      eventBus.eventBusName,
      'Publishes changes of official accounts: let your rules listen here',
    );
    this.output('DashboardName', dashboard.dashboardName, 'Under Dashboards in the CloudWatch console');
    this.output('AlarmTopicArn', alarmTopic.topicArn, 'Every alarm is told to it');
    this.output('ParkingQueueUrl', queues.parked.queueUrl, 'Deliveries that wait to be stored');
    this.output(
      'DeadLetterQueueUrl',
      queues.deadLetters.queueUrl,
      'Deliveries for people to look at: see infra/README.md',
    );
    this.output('UnpublishedQueueUrl', queues.unpublished.queueUrl, 'Changes that could not be published');
  }

  private output(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { value, description });
  }
}

function showTokenCommand(token: Secret): string {
  return `aws secretsmanager get-secret-value --region ${Aws.REGION} --secret-id ${token.secretArn} --query SecretString --output text`;
}
