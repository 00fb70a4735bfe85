import { defineConfig } from 'vitest/config'

// Packages are imported from source: the `source` condition of their exports.
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'], externalConditions: ['source'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'services/*/{src,test}/**/*.test.ts',
      'tests/**/*.test.ts',
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    globalSetup: ['tests/setup/build.ts'],
    setupFiles: ['tests/setup/check-passes.ts'],
  },
})
