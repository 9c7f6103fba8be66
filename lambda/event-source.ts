/** Source of all events for other systems: their rules match it. */
export const EVENT_SOURCE = 'tencent.chat.official-accounts';
