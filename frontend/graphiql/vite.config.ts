import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: '/graphiql/',
  plugins: [react()],
  build: {
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096, // the editor is large; it is served compressed and cached for good
    emptyOutDir: true,
    rolldownOptions: { checks: { moduleLevelDirective: false } }, // compilers' notes inside dependencies
    target: 'es2022',
  },
  // `npm run dev` beside a running server.
  server: { proxy: { '/graphql': { target: 'http://127.0.0.1:8080', ws: true } } },
  test: { include: ['test/*.test.ts'] },
});
