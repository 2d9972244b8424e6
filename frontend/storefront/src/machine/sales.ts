// Which session is shown first, and what is known of its sales already.
import type { HomeQuery, SaleSessionsQuery, SalesQuery } from '@kit/generated/operations';

export type Session = SaleSessionsQuery['saleSessions']['nodes'][number];
export type Card = SalesQuery['sales']['nodes'][number];

export const isRunning = ({ startsAt, endsAt }: Session, now: number) => Date.parse(startsAt) <= now && now < Date.parse(endsAt);
export const isOver = ({ endsAt }: Session, now: number) => now >= Date.parse(endsAt);

/** The session that a shopper most likely wants: the one that runs, else the next, else the last. */
export function likely(sessions: Session[], now: number): Session | undefined {
  return (
    sessions.findLast((session) => isRunning(session, now)) ??
    sessions.find((session) => !isOver(session, now)) ??
    sessions.at(-1)
  );
}

/** All sales of the session, if the first answer has them all. */
export function salesOf(answer: HomeQuery, session: string): Card[] | undefined {
  const { begun, coming } = answer;
  const isIts = (node: { session: { id: string } }) => node.session.id === session;
  const [old, young] = [begun.nodes.filter(isIts), coming.nodes.filter(isIts)];
  // Both lists are in the order of the sessions: one that fills a list to its cut end may go on beyond it.
  const isCut = (begun.pageInfo.hasPreviousPage && isIts(begun.nodes[0]!)) || (coming.pageInfo.hasNextPage && isIts(coming.nodes.at(-1)!));
  if (isCut || (old.length > 0 && young.length > 0)) return undefined;
  const cards = [...old, ...young.map((node) => ({ ...node, viewerTicket: null }))];
  return cards.length > 0 ? cards : undefined;
}
