// The body of every host app. main.ts puts its imports above it, as CommonJS or as ES modules.

const app = new App({ outdir: process.argv[2] });
const env = { region: 'eu-west-1', account: '123456789012' };
const arn = (service, resource) => `arn:aws:${service}:${env.region}:${env.account}:${resource}`;
const props = { sdkAppId: '1400000000', silenceHours: 24, probeMinutes: 5, alarmEmail: 'ops@example.com' };

// Two constructs in a stack, which is in a stage.
const twice = new Stack(new Stage(app, 'Prod'), 'Chat');
for (const id of ['News', '公众号']) {
  const webhook = new TencentChatWebhook(twice, id, props);
  const target = new LambdaFunction(webhook.redrive, { deadLetterQueue: webhook.queues.unpublished });
  webhook.onEvent('Created', { detailTypes: ['Official Account Created'], target });
}
new TencentChatWebhook(new Stack(app, 'Named', { stackName: 'chat-test' }), 'Webhook', props).addOutputs();

const long = 'A-Nested-Stack-With-A-Name-That-Is-Much-Longer-Than-What-SNS-Allows-For-The-Display-Name-Of-A-Topic';
new TencentChatWebhook(new NestedStack(new Stack(app, 'Parent'), long), 'Webhook', props);

// Everything that a host app can bring.
const own = new Stack(app, 'Own', { env });
const table = arn('dynamodb', 'table/accounts');
new TencentChatWebhook(own, 'Webhook', {
  ...props,
  table: Table.fromTableAttributes(own, 'Table', {
    tableArn: table,
    tableStreamArn: `${table}/stream/2026-11-29T00:00:00.000`,
  }),
  token: Secret.fromSecretCompleteArn(own, 'Token', arn('secretsmanager', 'secret:chat-AbCdEf')),
  eventBus: EventBus.fromEventBusArn(own, 'Bus', arn('events', 'event-bus/central')),
  alarmTopic: Topic.fromTopicArn(own, 'Topic', arn('sns', 'ops')),
  encryptionKey: Key.fromKeyArn(own, 'Key', arn('kms', 'key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f')),
  domainName: 'chat.example.com',
  certificateArn: arn('acm', 'certificate/0a1b'),
});

// Values that the CDK CLI looks up after the first synthesis.
const later = new Stack(app, 'Later', { env });
const lookedUp = (name) => StringParameter.valueFromLookup(later, `/${name}`);
new TencentChatWebhook(later, 'Webhook', {
  sdkAppId: lookedUp('app'),
  domainName: lookedUp('domain'),
  certificateArn: lookedUp('certificate'),
  allowedCidrs: [lookedUp('range')],
});

checkWithNag(app);
const assembly = app.synth();
const stacks = [
  ...assembly.stacks,
  ...assembly.nestedAssemblies.flatMap(({ nestedAssembly }) => nestedAssembly.stacks),
];
for (const { stackName, messages } of stacks) {
  for (const { id, level, entry } of messages)
    if (level === 'error') throw new Error(`${stackName} ${id}: ${entry.data}`);
}

const limits = {
  'AWS::Logs::LogGroup': ['LogGroupName', /^[\w./#-]{1,512}$/],
  'AWS::Events::EventBus': ['Name', /^[\w./-]{1,256}$/],
  'AWS::SNS::Topic': ['DisplayName', /^[ -~]{1,100}$/],
};
const templates = readdirSync(app.outdir, { recursive: true }).filter((name) => name.endsWith('template.json'));
for (const name of templates) {
  const { Resources } = JSON.parse(readFileSync(join(app.outdir, name), 'utf8'));
  for (const [id, { Type, Properties }] of Object.entries(Resources)) {
    const [property, pattern] = limits[Type] ?? [];
    const value = Properties?.[property];
    if (value !== undefined && !pattern.test(value))
      throw new Error(`${name}: ${property} of ${id} is ${JSON.stringify(value)}`);
  }
}
console.log(`${templates.length} templates`);
