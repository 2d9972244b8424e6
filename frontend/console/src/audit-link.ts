import { to } from './addresses';

/** Where the audit log has what was done to an object. */
export const auditOf = (subject: string): string => to('audit', { subject });
