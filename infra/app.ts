import { App, Validations, type AppProps } from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { readSettings, SettingsError } from './settings.ts';
import { stackName, WebhookStack } from './stack.ts';

/** Creates the CDK app with its stack. `synth` fails if a rule of cdk-nag finds a problem. */
export function webhookApp(props?: AppProps): { app: App; stack: WebhookStack } {
  const app = new App(props);
  const { stage, ...settings } = readSettings(app.node.getAllContext());
  const stack = new WebhookStack(app, stackName(stage), settings);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
  return { app, stack };
}

if (import.meta.main) {
  try {
    webhookApp().app.synth();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
