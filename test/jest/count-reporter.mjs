/** Ends a run with one line that counts the tests. A suite that did not start counts as failed. */
export default class CountReporter {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numRuntimeErrorTestSuites, numPendingTests }) {
    const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : '';
    const line = `${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed${skipped}`;
    // At exit, because Jest prints its own summary after all reporters.
    process.once('exit', () => console.log(line));
  }
}
