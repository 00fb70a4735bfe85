// An engine whose runtime says that CUDA works, on a machine that has none: for whom a stage is, and
// where it goes, can be shown without the device.
import { runEngine } from '../dist/engine/run-engine.js'

const negate = {
  run: ({ x }) => Promise.resolve({ y: { ...x, data: x.data.map((value) => -value) } }),
  release: () => Promise.resolve(),
}

runEngine({
  runStage: (kind, { device }) => Promise.resolve({ outputs: [], metrics: { kind, device } }),
  runtime: { name: 'pretended', version: '0', createSession: () => Promise.resolve(negate) },
})
