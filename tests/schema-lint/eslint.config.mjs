// What `schema/schema.graphql` is judged by. A rule that is off, or has options, says why.
import graphql from '@graphql-eslint/eslint-plugin'

const { rules: recommended } = graphql.configs['flat/schema-recommended']
const { rules: relay } = graphql.configs['flat/schema-relay']

export default [
  {
    files: ['**/*.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: process.env.SCHEMA } } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...recommended,
      ...relay,
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          // Directives are the executor's, which describes them but not their arguments: those of the language are known.
          ignoredSelectors: ['[type=InputValueDefinition][parent.type=DirectiveDefinition]'],
        },
      ],
      // Values are no objects: they have no identity. `SaleStock` is a value too: the stock of the sale it names.
      '@graphql-eslint/strict-id-in-types': [
        'error',
        {
          acceptedIdNames: ['id'],
          acceptedIdTypes: ['ID'],
          exceptions: {
            types: [
              ...['AccessToken', 'Image', 'ImageVariant', 'Money', 'PageInfo', 'PointsAccount', 'PurchaseRefusal', 'SaleOutcome', 'SaleStock', 'SecondFactor', 'Shop', 'StuckPayments', 'Viewer'],
              // How the servers and the books are at a moment: nobody refers to one of these later.
              ...['BooksAudit', 'BooksInvariant', 'Job', 'NodeCheck', 'NodeReadiness', 'Queue', 'QueueShare', 'ServerNode', 'Setting'],
              ...['SaleReport', 'SaleReportCheck', 'SaleReportLine'],
              'SignInAttempt',
              // What happened in a second, and what is stored of a setting: named by their moment, their number or their key.
              ...['Latency', 'OrderEventCount', 'PulseAlert', 'PurchaseCount', 'RefusalCount', 'SalePulse', 'ShopPulse'],
              ...['RejectedSetting', 'SettingChange', 'SettingOverride', 'StoredSetting'],
            ],
            // What operators look up about payments are records of objects, and entries of their logs.
            suffixes: ['Connection', 'Edge', 'Payload', 'Error', 'Record', 'Lookup', 'Entry', 'Notification'],
          },
        },
      ],
      // Lists of plain values and of errors are no connections, and connections also have `nodes`.
      '@graphql-eslint/relay-edge-types': [
        'error',
        { listTypeCanWrapOnlyEdgeType: false, withEdgeSuffix: true, shouldImplementNode: false },
      ],
      // Without arguments a page has the server's default size, so that none is required.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      '@graphql-eslint/input-name': ['error', { caseSensitiveInputType: true, checkMutations: true }],
      // Payloads are never null: what a mutation has to say besides its result is in `userErrors`. Queries that find nothing
      // are nullable; the others always have an answer (a page, the time).
      '@graphql-eslint/require-nullable-result-in-root': 'off',
      '@graphql-eslint/require-nullable-fields-with-oneof': 'error',
      '@graphql-eslint/no-root-type': 'off', // this is a shop with all three
      // Wants an argument of `@deprecated` that GraphQL does not have. `lint.mjs` reads the date in the reason instead.
      '@graphql-eslint/require-deprecation-date': 'off',
    },
  },
]
