"""The peer of bench/weights.mjs: MatMulNBitsQuantizer of onnxruntime.quantization, round to nearest.

usage: nbits_peer.py model.onnx out.onnx bits block [--symmetric]
Prints one line of JSON: seconds of the work (imports excluded).
"""
import json
import logging
import sys
import time

import onnx
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

logging.disable(logging.WARNING)
model, out, bits, block = sys.argv[1:5]

start = time.perf_counter()
quantizer = MatMulNBitsQuantizer(
    onnx.load(model),
    bits=int(bits),
    block_size=int(block),
    is_symmetric="--symmetric" in sys.argv,
)
quantizer.process()
quantizer.model.save_model_to_file(out)
print(json.dumps({"seconds": time.perf_counter() - start}))
