import type { CodegenConfig } from '@graphql-codegen/cli';

// Types of every operation of the pages, from the schema that the server exports.
const config: CodegenConfig = {
  schema: process.env.SCHEMA ?? '../../schema/schema.graphql',
  documents: '../documents/*.graphql',
  generates: {
    '../kit/generated/operations.ts': {
      plugins: ['typescript-operations'],
      config: {
        avoidOptionals: { field: true, inputValue: false },
        enumType: 'string-literal',
        scalars: { ID: 'string', DateTime: 'string', Date: 'string', Decimal: 'string', URL: 'string' },
        skipTypename: true,
        useTypeImports: true,
      },
    },
  },
};
export default config;
