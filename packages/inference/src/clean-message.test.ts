import { describe, expect, it } from 'vitest'

import { cleanMessage } from './clean-message.js'

describe('cleanMessage', () => {
  it('removes the source location and keeps the node and the reason', () => {
    const message =
      "Non-zero status code returned while running Reshape node. Name:'/head/Reshape' Status Message: " +
      '/onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:47 ' +
      'onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, onnxruntime::TensorShapeVector&, bool) ' +
      'input_shape_size == size was false. The input tensor cannot be reshaped to the requested shape.'
    expect(cleanMessage(message)).toBe(
      "Non-zero status code returned while running Reshape node. Name:'/head/Reshape' " +
        'input_shape_size == size was false. The input tensor cannot be reshaped to the requested shape.',
    )
  })

  it('removes the template arguments after a source location', () => {
    const message =
      'Exception during initialization: /onnxruntime_src/onnxruntime/core/providers/cpu/nn/pool_attributes.h:88 ' +
      'onnxruntime::PoolAttributes::PoolAttributes(const KernelInfoType&, const std::string&, int) ' +
      '[with KernelInfoType = onnxruntime::OpKernelInfo; std::string = std::__cxx11::basic_string<char>] ' +
      'pads[dim] < kernel_shape[dim] was false. Pad should be smaller than kernel.'
    expect(cleanMessage(message)).toBe(
      'Exception during initialization: pads[dim] < kernel_shape[dim] was false. Pad should be smaller than kernel.',
    )
  })

  it('removes the paths it was told about', () => {
    const message =
      "Load model from /srv/jobs/17/model.onnx failed: /srv/jobs/17/weights isn't there"
    expect(cleanMessage(message, ['/srv/jobs/17/model.onnx'])).toBe(
      "Load model from the file failed: the file/weights isn't there",
    )
  })

  it('keeps text after a source location that names no function', () => {
    expect(cleanMessage('/build/core/graph/graph.cc:12 This node (Foo) is invalid')).toBe(
      'This node (Foo) is invalid',
    )
  })
})
