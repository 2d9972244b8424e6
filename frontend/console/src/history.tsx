// What the audit log has about one object.
export function History({ subject }: { subject: string }) {
  void subject;
  return null;
}
