/** Tencent's reply to what was received. */
export const OK = { statusCode: 200, body: '{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}' };
