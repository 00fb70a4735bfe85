import { defaultExclude, defineConfig, mergeConfig } from 'vitest/config'

import all from './vitest.config.js'

// For the loop of a person at work: what computes inside one process. Left out is what starts a
// server or a program (PostgreSQL, Redis, an object store, an engine, a browser), and whole stages.
const STARTS_OTHERS = [
  'packages/{database,queue,storage}/**',
  'packages/compression/src/stages/**',
  'services/**',
  'tests/{e2e,hostile,infra}/**',
]

export default mergeConfig(
  all,
  defineConfig({ test: { exclude: [...defaultExclude, ...STARTS_OTHERS] } }),
)
