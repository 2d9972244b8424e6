// What the role of who is signed in may do, as the server decides it (src/model/rights.rs). The pages only show less.
import type { UserRole } from '@kit/generated/operations';
import type { ComponentChildren } from 'preact';
import { viewer } from './app';

export type Right = 'seeBuyers' | 'seeShop' | 'refund' | 'runSales' | 'stopShop' | 'handleFailures' | 'keepBooks' | 'grantPoints';

const RIGHTS: Record<UserRole, readonly Right[]> = {
  BUYER: [],
  SUPPORT: ['seeBuyers', 'refund'],
  OBSERVER: ['seeBuyers', 'seeShop'],
  OPERATOR: ['seeBuyers', 'seeShop', 'refund', 'runSales', 'stopShop', 'handleFailures', 'keepBooks', 'grantPoints'],
};

/** Whether a second factor has to be set up first. */
export function wanting(): boolean {
  const factor = viewer.value?.secondFactor;
  return factor?.policy === 'REQUIRED' && factor.enabledAt === null;
}

export const isStaff = (): boolean => (viewer.value ? viewer.value.user.role !== 'BUYER' : false);

export function may(right: Right): boolean {
  const role = viewer.value?.user.role;
  return role !== undefined && !wanting() && RIGHTS[role].includes(right);
}

/** What is there for those with the right only. */
export const For = ({ right, children }: { right: Right; children: ComponentChildren }) => (may(right) ? <>{children}</> : null);
