// What each document asks for and answers; the build makes `{ id, name, kind }` of the files themselves.
declare module '@documents/AuditEntries.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').AuditEntriesQuery,
    import('@kit/generated/operations').AuditEntriesQueryVariables
  >;
  export default document;
}
declare module '@documents/BillDifferenceBook.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').BillDifferenceBookMutation,
    import('@kit/generated/operations').BillDifferenceBookMutationVariables
  >;
  export default document;
}
declare module '@documents/BillDifferenceClose.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').BillDifferenceCloseMutation,
    import('@kit/generated/operations').BillDifferenceCloseMutationVariables
  >;
  export default document;
}
declare module '@documents/BillDifferences.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').BillDifferencesQuery,
    import('@kit/generated/operations').BillDifferencesQueryVariables
  >;
  export default document;
}
declare module '@documents/BooksAudit.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').BooksAuditQuery,
    import('@kit/generated/operations').BooksAuditQueryVariables
  >;
  export default document;
}
declare module '@documents/ConsoleSale.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ConsoleSaleQuery,
    import('@kit/generated/operations').ConsoleSaleQueryVariables
  >;
  export default document;
}
declare module '@documents/ConsoleSales.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ConsoleSalesQuery,
    import('@kit/generated/operations').ConsoleSalesQueryVariables
  >;
  export default document;
}
declare module '@documents/ConsoleShop.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ConsoleShopQuery,
    import('@kit/generated/operations').ConsoleShopQueryVariables
  >;
  export default document;
}
declare module '@documents/ConsoleViewer.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ConsoleViewerQuery,
    import('@kit/generated/operations').ConsoleViewerQueryVariables
  >;
  export default document;
}
declare module '@documents/FailureCount.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').FailureCountQuery,
    import('@kit/generated/operations').FailureCountQueryVariables
  >;
  export default document;
}
declare module '@documents/FailureDismiss.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').FailureDismissMutation,
    import('@kit/generated/operations').FailureDismissMutationVariables
  >;
  export default document;
}
declare module '@documents/FailureReplay.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').FailureReplayMutation,
    import('@kit/generated/operations').FailureReplayMutationVariables
  >;
  export default document;
}
declare module '@documents/Failures.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').FailuresQuery,
    import('@kit/generated/operations').FailuresQueryVariables
  >;
  export default document;
}
declare module '@documents/OrderSearch.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').OrderSearchQuery,
    import('@kit/generated/operations').OrderSearchQueryVariables
  >;
  export default document;
}
declare module '@documents/PaymentFlagClear.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PaymentFlagClearMutation,
    import('@kit/generated/operations').PaymentFlagClearMutationVariables
  >;
  export default document;
}
declare module '@documents/PaymentLookup.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PaymentLookupQuery,
    import('@kit/generated/operations').PaymentLookupQueryVariables
  >;
  export default document;
}
declare module '@documents/PaymentRefund.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PaymentRefundMutation,
    import('@kit/generated/operations').PaymentRefundMutationVariables
  >;
  export default document;
}
declare module '@documents/Payments.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PaymentsQuery,
    import('@kit/generated/operations').PaymentsQueryVariables
  >;
  export default document;
}
declare module '@documents/PointsGrant.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PointsGrantMutation,
    import('@kit/generated/operations').PointsGrantMutationVariables
  >;
  export default document;
}
declare module '@documents/ProductById.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ProductByIdQuery,
    import('@kit/generated/operations').ProductByIdQueryVariables
  >;
  export default document;
}
declare module '@documents/ProductCreate.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ProductCreateMutation,
    import('@kit/generated/operations').ProductCreateMutationVariables
  >;
  export default document;
}
declare module '@documents/ProductUpdate.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ProductUpdateMutation,
    import('@kit/generated/operations').ProductUpdateMutationVariables
  >;
  export default document;
}
declare module '@documents/Products.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ProductsQuery,
    import('@kit/generated/operations').ProductsQueryVariables
  >;
  export default document;
}
declare module '@documents/Pulses.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PulsesQuery,
    import('@kit/generated/operations').PulsesQueryVariables
  >;
  export default document;
}
declare module '@documents/Queues.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').QueuesQuery,
    import('@kit/generated/operations').QueuesQueryVariables
  >;
  export default document;
}
declare module '@documents/RecoveryCodesRenew.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').RecoveryCodesRenewMutation,
    import('@kit/generated/operations').RecoveryCodesRenewMutationVariables
  >;
  export default document;
}
declare module '@documents/RefundLookup.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').RefundLookupQuery,
    import('@kit/generated/operations').RefundLookupQueryVariables
  >;
  export default document;
}
declare module '@documents/Refunds.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').RefundsQuery,
    import('@kit/generated/operations').RefundsQueryVariables
  >;
  export default document;
}
declare module '@documents/SaleCreate.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleCreateMutation,
    import('@kit/generated/operations').SaleCreateMutationVariables
  >;
  export default document;
}
declare module '@documents/SaleEnd.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleEndMutation,
    import('@kit/generated/operations').SaleEndMutationVariables
  >;
  export default document;
}
declare module '@documents/SalePause.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SalePauseMutation,
    import('@kit/generated/operations').SalePauseMutationVariables
  >;
  export default document;
}
declare module '@documents/SalePublish.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SalePublishMutation,
    import('@kit/generated/operations').SalePublishMutationVariables
  >;
  export default document;
}
declare module '@documents/SalePulses.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SalePulsesQuery,
    import('@kit/generated/operations').SalePulsesQueryVariables
  >;
  export default document;
}
declare module '@documents/SaleReport.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleReportQuery,
    import('@kit/generated/operations').SaleReportQueryVariables
  >;
  export default document;
}
declare module '@documents/SaleResume.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleResumeMutation,
    import('@kit/generated/operations').SaleResumeMutationVariables
  >;
  export default document;
}
declare module '@documents/SaleSessionCreate.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleSessionCreateMutation,
    import('@kit/generated/operations').SaleSessionCreateMutationVariables
  >;
  export default document;
}
declare module '@documents/SaleSessions.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleSessionsQuery,
    import('@kit/generated/operations').SaleSessionsQueryVariables
  >;
  export default document;
}
declare module '@documents/SaleStockAdd.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleStockAddMutation,
    import('@kit/generated/operations').SaleStockAddMutationVariables
  >;
  export default document;
}
declare module '@documents/SaleUpdate.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleUpdateMutation,
    import('@kit/generated/operations').SaleUpdateMutationVariables
  >;
  export default document;
}
declare module '@documents/SecondFactorBegin.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SecondFactorBeginMutation,
    import('@kit/generated/operations').SecondFactorBeginMutationVariables
  >;
  export default document;
}
declare module '@documents/SecondFactorConfirm.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SecondFactorConfirmMutation,
    import('@kit/generated/operations').SecondFactorConfirmMutationVariables
  >;
  export default document;
}
declare module '@documents/SecondFactorDisable.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SecondFactorDisableMutation,
    import('@kit/generated/operations').SecondFactorDisableMutationVariables
  >;
  export default document;
}
declare module '@documents/ServerNodes.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ServerNodesQuery,
    import('@kit/generated/operations').ServerNodesQueryVariables
  >;
  export default document;
}
declare module '@documents/SettingChanges.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingChangesQuery,
    import('@kit/generated/operations').SettingChangesQueryVariables
  >;
  export default document;
}
declare module '@documents/SettingConfirm.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingConfirmMutation,
    import('@kit/generated/operations').SettingConfirmMutationVariables
  >;
  export default document;
}
declare module '@documents/SettingNodes.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingNodesQuery,
    import('@kit/generated/operations').SettingNodesQueryVariables
  >;
  export default document;
}
declare module '@documents/SettingPromote.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingPromoteMutation,
    import('@kit/generated/operations').SettingPromoteMutationVariables
  >;
  export default document;
}
declare module '@documents/SettingRollback.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingRollbackMutation,
    import('@kit/generated/operations').SettingRollbackMutationVariables
  >;
  export default document;
}
declare module '@documents/SettingSet.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingSetMutation,
    import('@kit/generated/operations').SettingSetMutationVariables
  >;
  export default document;
}
declare module '@documents/SettingUnset.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingUnsetMutation,
    import('@kit/generated/operations').SettingUnsetMutationVariables
  >;
  export default document;
}
declare module '@documents/Settings.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SettingsQuery,
    import('@kit/generated/operations').SettingsQueryVariables
  >;
  export default document;
}
declare module '@documents/ShopPause.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ShopPauseMutation,
    import('@kit/generated/operations').ShopPauseMutationVariables
  >;
  export default document;
}
declare module '@documents/ShopResume.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ShopResumeMutation,
    import('@kit/generated/operations').ShopResumeMutationVariables
  >;
  export default document;
}
declare module '@documents/SignIn.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SignInMutation,
    import('@kit/generated/operations').SignInMutationVariables
  >;
  export default document;
}
declare module '@documents/SignInAttempts.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SignInAttemptsQuery,
    import('@kit/generated/operations').SignInAttemptsQueryVariables
  >;
  export default document;
}
declare module '@documents/SignOut.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SignOutMutation,
    import('@kit/generated/operations').SignOutMutationVariables
  >;
  export default document;
}
declare module '@documents/StuckPayments.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').StuckPaymentsQuery,
    import('@kit/generated/operations').StuckPaymentsQueryVariables
  >;
  export default document;
}
declare module '@documents/Users.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').UsersQuery,
    import('@kit/generated/operations').UsersQueryVariables
  >;
  export default document;
}
declare module '@documents/WatchPulse.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchPulseSubscription,
    import('@kit/generated/operations').WatchPulseSubscriptionVariables
  >;
  export default document;
}
declare module '@documents/WatchSalePulse.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchSalePulseSubscription,
    import('@kit/generated/operations').WatchSalePulseSubscriptionVariables
  >;
  export default document;
}
declare module '@documents/WatchSettings.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchSettingsSubscription,
    import('@kit/generated/operations').WatchSettingsSubscriptionVariables
  >;
  export default document;
}
declare module '@documents/WatchStock.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchStockSubscription,
    import('@kit/generated/operations').WatchStockSubscriptionVariables
  >;
  export default document;
}
