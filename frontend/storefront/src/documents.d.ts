// What each document asks for and answers; the build makes `{ id, name, kind }` of the files themselves.
declare module '@documents/Home.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').HomeQuery,
    import('@kit/generated/operations').HomeQueryVariables
  >;
  export default document;
}
declare module '@documents/Order.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').OrderQuery,
    import('@kit/generated/operations').OrderQueryVariables
  >;
  export default document;
}
declare module '@documents/OrderCancel.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').OrderCancelMutation,
    import('@kit/generated/operations').OrderCancelMutationVariables
  >;
  export default document;
}
declare module '@documents/OrderPay.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').OrderPayMutation,
    import('@kit/generated/operations').OrderPayMutationVariables
  >;
  export default document;
}
declare module '@documents/OrderRefund.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').OrderRefundMutation,
    import('@kit/generated/operations').OrderRefundMutationVariables
  >;
  export default document;
}
declare module '@documents/Orders.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').OrdersQuery,
    import('@kit/generated/operations').OrdersQueryVariables
  >;
  export default document;
}
declare module '@documents/PasswordChange.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PasswordChangeMutation,
    import('@kit/generated/operations').PasswordChangeMutationVariables
  >;
  export default document;
}
declare module '@documents/Points.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PointsQuery,
    import('@kit/generated/operations').PointsQueryVariables
  >;
  export default document;
}
declare module '@documents/Purchase.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PurchaseMutation,
    import('@kit/generated/operations').PurchaseMutationVariables
  >;
  export default document;
}
declare module '@documents/PurchaseTicket.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').PurchaseTicketQuery,
    import('@kit/generated/operations').PurchaseTicketQueryVariables
  >;
  export default document;
}
declare module '@documents/Sale.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleQuery,
    import('@kit/generated/operations').SaleQueryVariables
  >;
  export default document;
}
declare module '@documents/SaleOutcome.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SaleOutcomeQuery,
    import('@kit/generated/operations').SaleOutcomeQueryVariables
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
declare module '@documents/Sales.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SalesQuery,
    import('@kit/generated/operations').SalesQueryVariables
  >;
  export default document;
}
declare module '@documents/ServerTime.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ServerTimeQuery,
    import('@kit/generated/operations').ServerTimeQueryVariables
  >;
  export default document;
}
declare module '@documents/Shop.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ShopQuery,
    import('@kit/generated/operations').ShopQueryVariables
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
declare module '@documents/SignOut.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SignOutMutation,
    import('@kit/generated/operations').SignOutMutationVariables
  >;
  export default document;
}
declare module '@documents/SignOutEverywhere.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SignOutEverywhereMutation,
    import('@kit/generated/operations').SignOutEverywhereMutationVariables
  >;
  export default document;
}
declare module '@documents/SignUp.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').SignUpMutation,
    import('@kit/generated/operations').SignUpMutationVariables
  >;
  export default document;
}
declare module '@documents/Viewer.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').ViewerQuery,
    import('@kit/generated/operations').ViewerQueryVariables
  >;
  export default document;
}
declare module '@documents/WatchMyOrders.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchMyOrdersSubscription,
    import('@kit/generated/operations').WatchMyOrdersSubscriptionVariables
  >;
  export default document;
}
declare module '@documents/WatchOrder.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchOrderSubscription,
    import('@kit/generated/operations').WatchOrderSubscriptionVariables
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
declare module '@documents/WatchTicket.graphql' {
  const document: import('@kit/api').Doc<
    import('@kit/generated/operations').WatchTicketSubscription,
    import('@kit/generated/operations').WatchTicketSubscriptionVariables
  >;
  export default document;
}
