/** Reply that Chat expects. */
export const OK = { statusCode: 200, body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' };
