/** Source of all events. The rules of other systems match it. */
export const EVENT_SOURCE = 'tencent.chat.official-accounts';
