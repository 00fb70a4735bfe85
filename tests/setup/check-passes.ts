// Every pass that a test runs is checked, in whatever package: see packages/graph/src/run-passes.ts.
Object.assign(globalThis, { [Symbol.for('pare.checked_passes')]: true })
