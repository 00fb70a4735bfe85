// Looks for imports that go in a circle, inside a package and between packages. Imports of types
// count: two files that need each other's types cannot be read, moved or tested apart either. What is
// loaded when it is asked for (`() => import(…)`) closes no circle: a table of such functions knows
// the modules of its rows, which know the table.
module.exports = {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['dynamic-import'] } },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.check.json' },
    // `source`: packages are read as they are written, not as they were last built.
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'default'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
  },
}
