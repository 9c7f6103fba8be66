import { Readable } from 'node:stream';
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

/** A program for bundle.test.ts: prints all requests of the SDK as one JSON array. */
const sent: object[] = [];
const requestHandler = {
  async handle({ protocol, method, hostname, port, path, headers, body }: any) {
    sent.push({ protocol, method, hostname, port, path, headers, body: new TextDecoder().decode(body) });
    return { response: { statusCode: 200, headers: {}, body: Readable.from([Buffer.from('{}')]) } };
  },
};

for (const [region, domain] of Object.entries({ 'eu-central-1': 'amazonaws.com', 'cn-north-1': 'amazonaws.com.cn' })) {
  for (const cacheMiddleware of [true, false]) {
    const settings = { region, requestHandler, cacheMiddleware };
    const dynamoDb = new DynamoDBClient(settings);
    const update = (TableName: string, id: string) => {
      const Key = { id: { S: id } };
      return dynamoDb.send(new UpdateItemCommand({ TableName, Key, UpdateExpression: 'REMOVE #a' }));
    };
    await update('accounts', '小明');
    await update('arn:aws:dynamodb:eu-central-1:222222222222:table/accounts', '小红');
    await update('accounts', '小红');
    const eventBridge = new EventBridgeClient(settings);
    await eventBridge.send(
      new PutEventsCommand({ Entries: [{ Source: 's', DetailType: 't', Detail: '{"name":"小明"}' }] }),
    );
    const secretsManager = new SecretsManagerClient(settings);
    await secretsManager.send(new GetSecretValueCommand({ SecretId: 'token' }));
    const sqs = new SQSClient({ ...settings, md5: false });
    for (const name of ['parked', 'quarantine', 'parked']) {
      const QueueUrl = `https://sqs.${region}.${domain}/111111111111/${name}`;
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: '小明' }));
    }
  }
}
process.stdout.write(JSON.stringify(sent));
