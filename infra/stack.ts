import { Stack } from 'aws-cdk-lib';
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
    new TencentChatWebhook(this, 'Default', props).addOutputs();
  }
}
