// A MobileNetV2-like network on Fashion-MNIST: inverted residuals of depthwise convolutions with ReLU6
// and BatchNormalization. Its convolutions are random and their channels differ in strength as a
// trained network's do (Nagel et al., Data-free quantization through weight equalization and bias
// correction, ICCV 2019, figure 2); the normalizations hold the statistics of real images; the last
// layer is trained by ridge regression on 6,000 of them. So its accuracy is real, though not high.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { attr } from '../../packages/graph/dist/index.js'
import { model as graphBuilder } from '../../packages/graph/dist/testing.js'
import { onnxRuntime } from '../../packages/inference/dist/onnxruntime.js'
import { encodeModel } from '../../packages/onnx/dist/index.js'
import { normalizeNpz, readNpz } from '../lib/arrays.mjs'
import { ridge } from '../lib/ridge.mjs'
import { createRandom } from '../lib/statistics.mjs'
import { decideClass, scoreClass, withFashionData } from './fashion.mjs'

const CLASSES = 10
const [TRAINING, STATISTICS] = [6000, 150]
/** Channels, stride; every block widens its channels four times in between. */
const BLOCKS = [
  [24, 2],
  [24, 1],
  [40, 2],
  [40, 1],
]
const [STEM, EXPANSION, HEAD] = [16, 4, 240]
/** Four means of each channel of the last convolution. */
const FEATURES = 4 * HEAD

export const mobilenet = {
  name: 'mobilenet-v2',
  kind: 'MobileNetV2-like, depthwise with ReLU6',
  metric: 'top1',
  needsFixtures: true,

  async make({ fixtures, folder, quick }) {
    const path = join(folder, 'mobilenet.onnx')
    const training = join(folder, 'training.npz')
    await normalizeNpz(join(fixtures, 'fashion-train.npz'), training)
    const { image, label } = await readNpz(training, { limit: TRAINING })
    writeFileSync(path, encodeModel(await trained(image, label)))
    return withFashionData(path, { fixtures, folder, quick })
  },
  decide: decideClass,
  score: scoreClass,
}

async function trained(image, label) {
  const layers = randomLayers(createRandom(7))
  await setStatistics(layers, firstOf(image, STATISTICS))
  const features = (await run(network(layers), image, 'features')).data
  const { weights, bias } = ridge(features, Array.from(label.data, Number), {
    classes: CLASSES,
    penalty: 1e-6,
  })
  return network(layers, { weights, bias })
}

/** Every convolution with its normalization, in order; `from` and `to` name values. */
function randomLayers(random) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const layers = []
  const add = ({
    from,
    inputs,
    outputs,
    kernel,
    stride = 1,
    depthwise = false,
    relu = true,
    residual,
  }) => {
    const fan = (depthwise ? 1 : inputs) * kernel * kernel
    const size = outputs * fan
    const layer = {
      from,
      to: `v${layers.length}`,
      inputs,
      outputs,
      kernel,
      stride,
      depthwise,
      relu,
      residual,
    }
    const strength = Array.from({ length: outputs }, () =>
      Math.exp((depthwise ? 1.0 : 0.3) * normal()),
    )
    const weights = Float32Array.from(
      { length: size },
      (_, i) => (normal() * strength[Math.floor(i / fan)]) / Math.sqrt(fan),
    )
    const gamma = Float32Array.from(
      { length: outputs },
      () => Math.exp(0.4 * normal()) * (relu ? 1.5 : 1),
    )
    const beta = Float32Array.from({ length: outputs }, () => (relu ? 0.8 : 0.3) * normal())
    layers.push({ ...layer, weights, gamma, beta })
    return layer.to
  }
  let channels = STEM
  let value = add({ from: 'image', inputs: 1, outputs: STEM, kernel: 3 })
  for (const [outputs, stride] of BLOCKS) {
    const wide = channels * EXPANSION
    const expanded = add({ from: value, inputs: channels, outputs: wide, kernel: 1 })
    const filtered = add({
      from: expanded,
      inputs: wide,
      outputs: wide,
      kernel: 3,
      stride,
      depthwise: true,
    })
    const residual = stride === 1 && outputs === channels ? value : undefined
    value = add({ from: filtered, inputs: wide, outputs, kernel: 1, relu: false, residual })
    channels = outputs
  }
  add({ from: value, inputs: channels, outputs: HEAD, kernel: 1 })
  return layers
}

/** Gives each normalization the mean and variance of its input, the layers before it done. */
async function setStatistics(layers, images) {
  const values = new Map([['image', images]])
  for (const layer of layers) {
    const single = (statistics) =>
      network([{ ...layer, ...statistics }], undefined, ['raw', layer.to])
    const inputs = [layer.from, layer.residual].filter((name) => name !== undefined)
    const feeds = Object.fromEntries(inputs.map((name) => [name, values.get(name)]))
    const identity = {
      mean: new Float32Array(layer.outputs),
      variance: new Float32Array(layer.outputs).fill(1),
    }
    Object.assign(layer, momentsOf(await runOn(single(identity), feeds, 'raw')))
    values.set(layer.to, await runOn(single({}), feeds, layer.to))
  }
}

function momentsOf({ dims, data }) {
  const [count, channels] = dims
  const area = data.length / count / channels
  const mean = new Float32Array(channels)
  const variance = new Float32Array(channels)
  for (let c = 0; c < channels; c++) {
    let [sum, squares] = [0, 0]
    for (let n = 0; n < count; n++) {
      const start = (n * channels + c) * area
      for (let i = start; i < start + area; i++) {
        sum += data[i]
        squares += data[i] * data[i]
      }
    }
    mean[c] = sum / count / area
    variance[c] = Math.max(1e-12, squares / count / area - mean[c] ** 2)
  }
  return { mean, variance }
}

/** The layers as a model; with a classifier its logits are the output, else `outputs` or the features. */
function network(layers, classifier, outputs) {
  const builder = graphBuilder({ opset: 17, irVersion: 8, name: 'mobilenet' })
  for (const name of new Set(layers.flatMap(({ from, residual }) => [from, residual ?? from]))) {
    if (!layers.some(({ to }) => to === name)) {
      builder.input(
        name,
        'float32',
        name === 'image' ? ['batch', 1, 28, 28] : ['batch', null, null, null],
      )
    }
  }
  builder.floats('zero', [], [0]).floats('six', [], [6])
  for (const layer of layers) addLayer(builder, layer, outputs !== undefined)
  if (outputs !== undefined) {
    for (const name of outputs) builder.output(name, 'float32', ['batch', null, null, null])
    return builder.build()
  }
  builder.node('AveragePool', [layers.at(-1).to], ['pooled'], {
    kernel_shape: [4, 4],
    strides: [3, 3],
  })
  builder.node('Flatten', ['pooled'], ['features'], { axis: 1 })
  if (classifier === undefined)
    return builder.output('features', 'float32', ['batch', FEATURES]).build()
  builder
    .floats('classifier', [CLASSES, FEATURES], classifier.weights)
    .floats('bias', [CLASSES], classifier.bias)
  builder.node('Gemm', ['features', 'classifier', 'bias'], ['logits'], { transB: 1 })
  return builder.output('logits', 'float32', ['batch', CLASSES]).build()
}

function addLayer(builder, layer, isSingle) {
  const { from, to, inputs, outputs, kernel, stride, depthwise, relu, residual } = layer
  const pad = (kernel - 1) / 2
  const shape = [outputs, depthwise ? 1 : inputs, kernel, kernel]
  const name = (part) => `${to}.${part}`
  const raw = isSingle ? 'raw' : name('conv')
  builder
    .floats(name('weight'), shape, layer.weights)
    .floats(name('gamma'), [outputs], layer.gamma)
    .floats(name('beta'), [outputs], layer.beta)
    .floats(name('mean'), [outputs], layer.mean)
    .floats(name('variance'), [outputs], layer.variance)
    .node('Conv', [from, name('weight')], [raw], {
      group: depthwise ? outputs : 1,
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    })
    .node(
      'BatchNormalization',
      [raw, ...['gamma', 'beta', 'mean', 'variance'].map(name)],
      [relu || residual ? name('normalized') : to],
      { epsilon: attr.float(1e-5) },
    )
  if (relu) builder.node('Clip', [name('normalized'), 'zero', 'six'], [to])
  else if (residual) builder.node('Add', [name('normalized'), residual], [to])
}

function firstOf({ dataType, dims: [, ...shape], data }, count) {
  const size = shape.reduce((product, dim) => product * dim, 1)
  return { dataType, dims: [count, ...shape], data: data.subarray(0, count * size) }
}

/** Over all images in pieces, joined. */
async function run(model, image, output) {
  const session = await onnxRuntime().createSession(encodeModel(model))
  const [count, ...shape] = image.dims
  const size = image.data.length / count
  const pieces = []
  for (let at = 0; at < count; at += 250) {
    const data = image.data.subarray(at * size, (at + 250) * size)
    const feeds = { image: { dataType: 'float32', dims: [data.length / size, ...shape], data } }
    pieces.push((await session.run(feeds))[output])
  }
  await session.release()
  const width = pieces[0].data.length / pieces[0].dims[0]
  const data = new Float32Array(count * width)
  pieces.forEach((piece, i) => data.set(piece.data, i * 250 * width))
  return { dims: [count, width], data }
}

async function runOn(model, feeds, output) {
  const session = await onnxRuntime().createSession(encodeModel(model))
  const outputs = await session.run(feeds)
  await session.release()
  return outputs[output]
}
