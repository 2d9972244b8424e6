// Where the audit log has what was done to an object.
import { to } from './addresses';

/** Nothing, as long as there is no page of the audit log. */
export const auditOf = (subject: string): string | undefined => {
  void to;
  void subject;
  return undefined;
};
